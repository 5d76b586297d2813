/**
 * Takes messages in: checks them, stores them, and where workers are to spare hands them over at
 * once, so that storing and claiming are one commit.
 */
import { addAbortSignal } from 'node:stream';
import { checkBounceProfile } from '../core/bounce-profile.js';
import { checkOptions, isAnything, isOneOf, isString, type Check } from '../core/check-options.js';
import { Problems } from '../core/config-error.js';
import type { DeliveryOutcome } from '../core/outcome.js';
import { checkMail, sharedEnvelope, type Mail } from '../delivery/mail.js';
import type { Submission, SubmitOptions } from '../delivery/mail-queue.js';
import type { Message } from '../delivery/relay-transport.js';
import type { Clock } from '../delivery/system-clock.js';
import { newId } from './message-id.js';
import { inOrderOf, withSuspended } from './queued-outcome.js';
import { ENTRY_VERSION, entriesFor, type QueueEntry } from './queue-entry.js';
import type { QueueObserver } from './queue-observer.js';
import type { Claim, NewMail, QueueStore } from './queue-store.js';
import type { QueueWorkers } from './queue-workers.js';
import type { UnderWay } from './under-way.js';

export interface IntakeOptions {
  readonly store: QueueStore;
  readonly workers: QueueWorkers;
  readonly observer: QueueObserver;
  readonly clock: Clock;
  readonly underWay: UnderWay;
}

export class Intake {
  readonly #options: IntakeOptions;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  async submit(mail: Mail, options: SubmitOptions): Promise<Submission> {
    checkSubmission(mail, options);
    options.signal?.throwIfAborted();
    const at = this.#options.clock.now();
    const { from, to } = mail.envelope;
    const entries = entriesFor(mail.envelope);
    const id = options.id ?? newId(at);
    const message = {
      v: ENTRY_VERSION,
      id,
      ...sharedEnvelope(mail.envelope, from),
      arrivalAt: at,
      ...(options.profile && { profile: options.profile }),
    } as const;
    const stored = this.#storeAndRun(
      { message, body: givenUpWith(options.signal, mail.message), entries, named: options.id !== undefined },
      options.wait === 'first-attempt',
    );
    const { known, size, attempt } = await this.#unlessTooLong(this.#options.underWay.track(stored), options.signal);
    if (!known) this.#options.observer.emit({ type: 'stored', at, id, from, recipients: to, size });
    if (!attempt || options.wait !== 'first-attempt') return { id };
    const outcome = await unlessAborted(attempt, options.signal, () => Promise.resolve(undefined));
    return outcome ? { id, outcome: inOrderOf(to, outcome) } : { id };
  }

  /** After an abort storing may go on for a moment: the message may be stored just now. */
  async #unlessTooLong<T>(storing: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    try {
      return await unlessAborted(storing, signal, async () => {
        await this.#options.clock.sleep(SETTLING_MS);
        throw signal?.reason;
      });
    } catch (error) {
      throw signal?.aborted ? signal.reason : error;
    }
  }

  /** Stores a message; if there are workers to spare it is theirs at once, without a second commit. */
  async #storeAndRun(
    mail: NewMail,
    awaited: boolean,
  ): Promise<{ known: boolean; size: number; attempt?: Promise<DeliveryOutcome | undefined> }> {
    const { workers } = this.#options;
    const hasPlaces = !awaited && workers.takePlaces(mail.entries);
    const claim = awaited || hasPlaces ? { by: workers.by(), now: this.#options.clock.now() } : undefined;
    let entries: Claim['entries'] = [];
    try {
      const put = await this.#options.store.put(mail, claim);
      const { known, size, claimed } = put;
      entries = claimed;
      if (put.known || claimed.length === 0) {
        if (!known) workers.poke();
        return {
          known,
          size,
          ...(awaited && !known && { attempt: Promise.resolve(withSuspended(mail, [], this.#options.clock.now())) }),
        };
      }
      const theirs: Claim = { message: { ...mail.message, size }, body: put.body, entries: claimed };
      if (!awaited) {
        void workers.run(theirs);
        return { known, size };
      }
      const attempt = this.#options.underWay.track(workers.runWhenFree(theirs));
      const whole = attempt.then(
        (attempted) => attempted && withSuspended(mail, claimed, this.#options.clock.now(), attempted.toSubmitter),
      );
      whole.catch(() => undefined);
      return { known, size, attempt: whole };
    } finally {
      if (hasPlaces) this.#correctPlaces(mail.entries, entries);
    }
  }

  /** Places were taken for all entries of a message, but only some were claimed, or none. */
  #correctPlaces(wanted: readonly QueueEntry[], claimed: Claim['entries']): void {
    if (claimed.length === 0) this.#options.workers.yieldPlaces(wanted);
    else {
      const theirs = new Set(claimed.map(({ entry }) => entry.domain));
      for (const { domain } of wanted) if (!theirs.has(domain)) this.#options.workers.shares.leave(domain);
    }
  }
}

/** How long storing may go on after an abort: whoever is told that it failed may send the message again. */
const SETTLING_MS = 1_000;

const SUBMIT_CHECKS: Readonly<Record<string, Check>> = {
  id: isString,
  wait: isOneOf('stored', 'first-attempt'),
  profile: isAnything,
  signal: isAnything,
};

/** @throws {RouteConfigError} for wrong use */
function checkSubmission(mail: Mail, options: SubmitOptions): void {
  const problems = new Problems();
  checkOptions(options, SUBMIT_CHECKS, 'options', problems);
  if (options.profile !== undefined) checkBounceProfile(options.profile, 'options.profile', problems);
  problems.throwIfAny('submit');
  checkMail(mail, options.signal ? { signal: options.signal } : {});
}

/** The work goes on; an abort ends only the waiting for it, with what `instead` gives. */
async function unlessAborted<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  instead: () => Promise<T>,
): Promise<T> {
  if (!signal) return await work;
  let stop: (() => void) | undefined;
  const aborted = new Promise<T>((resolve) => {
    stop = () => resolve(instead());
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  aborted.catch(() => undefined);
  try {
    return await Promise.race([work, aborted]);
  } finally {
    if (stop) signal.removeEventListener('abort', stop);
    work.catch(() => undefined);
  }
}

/** A source that has stalled must not hold up who has stopped waiting, nor `close()`. */
function givenUpWith(signal: AbortSignal | undefined, message: Message): Message {
  if (!signal || typeof message === 'string' || !('open' in message)) return message;
  const { size } = message;
  return { open: () => addAbortSignal(signal, message.open()), ...(size !== undefined && { size }) };
}
