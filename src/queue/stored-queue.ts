/**
 * The queue over a store: takes messages in, and does what operators ask for. The workers do the
 * delivering.
 */
import { randomUUID } from 'node:crypto';
import { checkBounceProfile } from '../core/bounce-profile.js';
import { checkOptions, isAnything, isOneOf, isString, type Check } from '../core/check-options.js';
import { Problems } from '../core/config-error.js';
import type { DeliveryOutcome } from '../core/outcome.js';
import { RouteConfigError } from '../core/config-error.js';
import { checkMail, type Mail } from '../delivery/mail.js';
import type { Submission, SubmitOptions } from '../delivery/mail-queue.js';
import { bounceClaim, notTried, type AttemptServices } from './attempt-claim.js';
import type {
  Affected,
  DeliveryQueue,
  HostStatus,
  QueueCounters,
  QueuePage,
  ShowFilter,
  Suspension,
  TopHostsOptions,
  Which,
} from './delivery-queue.js';
import { newHolder, isDeadHere } from './holder.js';
import { ENTRY_VERSION, entriesFor, type QueueEntry, type Redirection } from './queue-entry.js';
import { QueueObserver } from './queue-observer.js';
import { Profiles, type QueueOptions, type QueueSettings } from './queue-options.js';
import type { Alteration, Claim, NewMail, QueueStore, Window } from './queue-store.js';
import { QueueWorkers } from './queue-workers.js';
import { readDomain, readPage, readTopHosts, readWhich } from './which-mail.js';
import { buildBounce, mayBounce } from './bounce-builder.js';

/** Entries that a verb looks at in one step of the store, which blocks the event loop for so long. */
const WINDOW = 500;

export class StoredQueue implements DeliveryQueue {
  readonly #store: QueueStore;
  readonly #workers: QueueWorkers;
  readonly #observer: QueueObserver;
  readonly #attempts: AttemptServices;
  readonly #underWay = new Set<Promise<unknown>>();
  #closed = false;

  constructor(store: QueueStore, options: QueueOptions, settings: QueueSettings) {
    const { deliverer } = options;
    this.#store = store;
    this.#observer = new QueueObserver(options.onEvent);
    this.#attempts = { deliverer, profiles: new Profiles(options), ...settings, buildBounce, mayBounce };
    this.#workers = new QueueWorkers({
      store,
      attempts: this.#attempts,
      settings,
      holder: newHolder(),
      isDead: isDeadHere,
      observer: this.#observer,
    });
    store.onSetAside = (what) => this.#observer.emit({ type: 'set-aside', at: this.#now(), ...what });
  }

  async submit(mail: Mail, options: SubmitOptions = {}): Promise<Submission> {
    this.#refuseAfterClose('submit');
    checkSubmission(mail, options);
    options.signal?.throwIfAborted();
    const at = this.#now();
    const { from, to, dsn } = mail.envelope;
    const entries = entriesFor(mail.envelope);
    const id = options.id ?? randomUUID();
    const message = {
      v: ENTRY_VERSION,
      id,
      from,
      arrivalAt: at,
      ...(dsn && { dsn }),
      ...(options.profile && { profile: options.profile }),
    } as const;
    const stored = this.#storeAndRun(
      { message, body: mail.message, entries, named: options.id !== undefined },
      options.wait === 'first-attempt',
    );
    const { known, size, attempt } = await unlessAborted(this.#track(stored), options.signal);
    if (!known) this.#observer.emit({ type: 'stored', at, id, from, recipients: to, size });
    if (!attempt || options.wait !== 'first-attempt') return { id };
    const outcome = await unlessAborted(attempt, options.signal);
    return outcome ? { id, outcome } : { id };
  }

  /** Stores a message; if there are workers to spare it is theirs at once, without a second commit. */
  async #storeAndRun(
    mail: NewMail,
    awaited: boolean,
  ): Promise<{ known: boolean; size: number; attempt?: Promise<DeliveryOutcome | undefined> }> {
    const workers = this.#workers;
    const hasPlaces = !awaited && workers.takePlaces(mail.entries);
    const claim = awaited || hasPlaces ? { by: workers.by(), now: this.#now() } : undefined;
    let entries: Claim['entries'] = [];
    try {
      const { known, size, claimed } = await this.#store.put(mail, claim);
      entries = claimed;
      if (claimed.length === 0) {
        if (!known) workers.poke();
        return {
          known,
          size,
          ...(awaited && !known && { attempt: Promise.resolve(suspended(mail, [], this.#now())) }),
        };
      }
      const { message, body } = mail;
      const theirs: Claim = { message: { ...message, size }, body, entries: claimed };
      if (!awaited) {
        void workers.run(theirs);
        return { known, size };
      }
      const attempt = this.#track(workers.runWhenFree(theirs));
      const withSuspended = attempt.then((outcome) => outcome && suspended(mail, claimed, this.#now(), outcome));
      withSuspended.catch(() => undefined);
      return { known, size, attempt: withSuspended };
    } finally {
      if (hasPlaces) this.#correctPlaces(mail.entries, entries);
    }
  }

  /** Places were taken for all entries of a message, but only some were claimed, or none. */
  #correctPlaces(wanted: readonly QueueEntry[], claimed: Claim['entries']): void {
    if (claimed.length === 0) this.#workers.yieldPlaces(wanted);
    else {
      const theirs = new Set(claimed.map(({ entry }) => entry.domain));
      for (const { domain } of wanted) if (!theirs.has(domain)) this.#workers.shares.leave(domain);
    }
  }

  start({ keepAlive = false }: { readonly keepAlive?: boolean } = {}): void {
    this.#refuseAfterClose('start');
    this.#workers.start(keepAlive);
  }

  async runDue(): Promise<DeliveryOutcome[]> {
    this.#refuseAfterClose('runDue');
    return await this.#track(this.#workers.runDue());
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
    await this.#workers.close();
    await this.#store.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async show(filter: ShowFilter = {}): Promise<QueuePage> {
    const { filter: wanted, limit, after } = readPage(filter);
    const entries: QueuePage['entries'][number][] = [];
    let next: number | undefined = after;
    while (next !== undefined && entries.length < limit) {
      const page: Awaited<ReturnType<QueueStore['show']>> = await this.#store.show({
        filter: wanted,
        now: this.#now(),
        after: next,
        limit: limit - entries.length,
      });
      entries.push(...page.entries);
      next = page.next;
    }
    return next === undefined ? { entries } : { entries, next: String(next) };
  }

  async deliverNow(which: Which = 'all'): Promise<Affected> {
    const affected = await this.#alter({ do: 'make-due' }, which, 'deliverNow');
    this.#workers.poke();
    return affected;
  }

  async remove(which: Which): Promise<Affected> {
    return await this.#alter({ do: 'remove' }, which, 'remove');
  }

  async release(which: Which): Promise<Affected> {
    const affected = await this.#alter({ do: 'release' }, which, 'release');
    this.#workers.poke();
    return affected;
  }

  async redirect(which: Which, to?: string | Redirection): Promise<Affected> {
    const via = typeof to === 'string' ? { relay: to } : to;
    if (via && 'relay' in via && !(via.relay in this.#attempts.deliverer.health())) {
      throw new RouteConfigError('redirect', [
        { path: 'to', message: `no relay is called ${JSON.stringify(via.relay)}` },
      ]);
    }
    const way = via && 'domain' in via ? { domain: readDomain(via.domain, 'redirect') } : via;
    return await this.#alter({ do: 'redirect', via: way }, which, 'redirect');
  }

  async bounce(which: Which): Promise<Affected> {
    return await this.#throughout(which, 'bounce', async (window) => {
      const { claims, ...affected } = await this.#store.claimMatching(this.#workers.by(), window);
      for (const claim of claims) {
        const { settlement, events } = await bounceClaim(this.#attempts, claim, window.now);
        const { done } = await this.#store.settle(settlement);
        for (const event of events) this.#observer.emit(event);
        if (done) this.#observer.emit({ type: 'done', at: window.now, id: claim.message.id });
      }
      this.#workers.poke();
      return affected;
    });
  }

  async suspend(domain?: string): Promise<Suspension> {
    return await this.#store.suspend(domain === undefined ? undefined : readDomain(domain, 'suspend'), true);
  }

  async resume(domain?: string): Promise<Suspension> {
    const name = domain === undefined ? undefined : readDomain(domain, 'resume');
    const suspension = await this.#store.suspend(name, false);
    this.#workers.poke();
    return suspension;
  }

  async hostStatus(domain: string): Promise<HostStatus> {
    return await this.#store.hostStatus(readDomain(domain, 'hostStatus'));
  }

  async topHosts(options: TopHostsOptions = {}): Promise<HostStatus[]> {
    return await this.#store.topHosts(readTopHosts(options));
  }

  async counters(): Promise<QueueCounters> {
    return await this.#store.counters();
  }

  #now(): number {
    return this.#attempts.deliverer.clock.now();
  }

  async #alter(alteration: Alteration, which: Which, verb: string): Promise<Affected> {
    return await this.#throughout(which, verb, (window) => this.#store.alter(alteration, window));
  }

  /** Goes through the queue window by window, so that nothing else has to wait for long. */
  async #throughout(
    which: Which,
    verb: string,
    step: (window: Window) => Promise<Affected & { readonly next?: number }>,
  ): Promise<Affected> {
    this.#refuseAfterClose(verb);
    const filter = readWhich(which, verb);
    const sum = { entries: 0, recipients: 0, inFlight: 0 };
    const now = this.#now();
    const walk = async (): Promise<Affected> => {
      for (let after: number | undefined = 0; after !== undefined;) {
        const did: Affected & { readonly next?: number } = await step({ filter, now, after, limit: WINDOW });
        sum.entries += did.entries;
        sum.recipients += did.recipients;
        sum.inFlight += did.inFlight;
        after = did.next;
      }
      return sum;
    };
    return await this.#track(walk());
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work);
    const end = (): unknown => this.#underWay.delete(work);
    work.then(end, end);
    return work;
  }

  #refuseAfterClose(verb: string): void {
    if (this.#closed) throw new Error(`${verb}() was called after close()`);
  }
}

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

/** The outcome with the recipients whose domains are suspended, in the order of the envelope. */
function suspended(
  { message, entries }: NewMail,
  claimed: Claim['entries'],
  now: number,
  tried?: DeliveryOutcome,
): DeliveryOutcome {
  const theirs = new Set(claimed.map(({ entry }) => entry.domain));
  const rest = entries.filter(({ domain }) => !theirs.has(domain));
  if (tried && rest.length === 0) return tried;
  const failure = { kind: 'aborted', message: 'delivery is suspended' } as const;
  const to = rest.flatMap(({ recipients }) => recipients.map(({ recipient }) => recipient));
  const waiting = notTried(message.id, to, failure, now);
  return tried ? { ...tried, recipients: [...tried.recipients, ...waiting.recipients] } : waiting;
}

/** The work goes on; only the waiting ends. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return await work;
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => reject(signal.reason as Error);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    if (stop) signal.removeEventListener('abort', stop);
    work.catch(() => undefined);
  }
}
