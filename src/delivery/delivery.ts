/**
 * One call of `deliver()`: what is to be sent, how long that may take, and what has become of each
 * recipient so far.
 */
import { classify, type ClassifyHook, type FailurePlace, type Verdict } from '../core/classify.js';
import type { DeliveryEvent } from '../core/delivery-event.js';
import type { Failure } from '../core/failure.js';
import type { Attempt, DeliveryOutcome, Lookup, RecipientOutcome } from '../core/outcome.js';
import type { AbortControllers } from './abort-controllers.js';
import type { Bagged } from './bag.js';
import type { Deadlines } from './deadlines.js';
import { logTrouble } from './debug-log.js';
import { Interruption } from './interruption.js';
import type { Observer } from './observer.js';
import type { Envelope, Message, RelayTransport } from './relay-transport.js';
import type { RelayStates } from './relay-states.js';
import type { Clock } from './system-clock.js';

/**
 * What to do about a recipient whose copy may have arrived: say so, queue it for later, try the
 * next relay, or take it for delivered.
 */
export type PossiblyDeliveredPolicy = 'report' | 'queue' | 'next-relay' | 'assume-delivered';

/** What all deliveries of a deliverer share. */
export interface DeliveryServices {
  readonly transport: RelayTransport;
  readonly states: RelayStates;
  readonly deadlines: Deadlines;
  readonly controllers: AbortControllers;
  readonly observer: Observer;
  readonly clock: Clock;
  readonly classify: ClassifyHook | undefined;
  readonly onPossiblyDelivered: PossiblyDeliveredPolicy;
  readonly attemptTimeoutMs: number;
  readonly deadlineMs: number;
  /** How long from now a deferred recipient should be tried again, spread by dice. */
  readonly retryAfterMs: () => number;
}

/** A recipient of the envelope: as written, and as it goes over the wire. */
export interface Recipient {
  readonly index: number;
  readonly address: string;
  readonly wire: string;
}

export class Delivery implements Bagged {
  /** In the bag of those under way. */
  place: number | undefined;
  readonly id: string;
  readonly services: DeliveryServices;
  readonly #envelope: Omit<Envelope, 'to'>;
  readonly message: Message;
  readonly deadlineAt: number;
  /** Whether somebody hears of events. */
  readonly watched: boolean;
  readonly #outcomes: RecipientOutcome[];
  readonly #attempts: Attempt[] = [];
  #lookups: Lookup[] | undefined;
  readonly interruption: Interruption = new Interruption();
  #retryAfterMs: number | undefined;
  #interrupted: (Failure & { kind: 'aborted' | 'expired' }) | undefined;

  constructor(
    services: DeliveryServices,
    id: string,
    envelope: Omit<Envelope, 'to'>,
    message: Message,
    recipientCount: number,
  ) {
    this.services = services;
    this.id = id;
    this.#envelope = envelope;
    this.message = message;
    this.watched = services.observer.active;
    this.deadlineAt = services.clock.now() + services.deadlineMs;
    this.#outcomes = new Array<RecipientOutcome>(recipientCount);
  }

  /** Nothing more may be started. */
  get over(): boolean {
    return this.#interrupted !== undefined;
  }

  /** Whether the delivery's own time is over. */
  get expired(): boolean {
    return this.#interrupted?.kind === 'expired';
  }

  /** The caller gives up. What is past the final dot goes on. */
  abort(): void {
    this.#interrupted ??= { kind: 'aborted', message: 'the delivery was aborted before this recipient was settled' };
    this.interruption.interrupt(new DOMException('the delivery was aborted', 'AbortError'));
  }

  /** The time for all is over, past the final dot too. */
  expire(message: string): void {
    this.#interrupted ??= { kind: 'expired', message };
    this.interruption.interrupt(new DOMException(message, 'TimeoutError'));
  }

  /** The envelope for some of the recipients, as it goes over the wire. */
  envelopeTo(to: readonly string[]): Envelope {
    return { ...this.#envelope, to };
  }

  settle({ index, address }: Recipient, result: ResultOf<RecipientOutcome>): void {
    this.#outcomes[index] = { recipient: address, ...result };
  }

  /** What becomes of a recipient that no relay has settled. */
  settleOpen(recipient: Recipient, last: Failure | undefined, retryAt: number): void {
    const interrupted = this.#interrupted;
    if (!interrupted && last?.kind === 'unsupported') {
      this.settle(recipient, { status: 'rejected', failure: last });
      return;
    }
    const failure = interrupted
      ? { ...interrupted, ...(last && last.kind !== 'aborted' && { last }) }
      : (last ?? NOTHING_TRIED);
    this.settle(recipient, { status: 'queue-for-later', failure, retryAt });
  }

  /** When a recipient deferred now should be tried again. One throw of the dice, so that those deferred together come back together. */
  retryAt(): number {
    const { clock, retryAfterMs } = this.services;
    this.#retryAfterMs ??= retryAfterMs();
    return clock.now() + this.#retryAfterMs;
  }

  /** The verdict that holds: the built-in one, unless the app's hook changes it. A hook that fails or answers nonsense is ignored. */
  judge(failure: Failure, at: FailurePlace, builtIn: Verdict = classify(failure)): Verdict {
    const hook = this.services.classify;
    if (!hook) return builtIn;
    try {
      const verdict: unknown = hook(failure, builtIn, at);
      if (isVerdict(verdict)) return { action: verdict.action, cool: verdict.cool };
      logTrouble(new TypeError('classify must return a verdict: { action, cool }'));
      // One that answers a promise may yet reject, and nobody else would hear of it.
      Promise.resolve(verdict).catch(logTrouble);
    } catch (error) {
      logTrouble(error);
    }
    return builtIn;
  }

  record(attempt: Attempt): void {
    this.#attempts.push(attempt);
  }

  recordLookup(lookup: Lookup): void {
    (this.#lookups ??= []).push(lookup);
  }

  /** Events are made only if somebody listens. */
  emit(event: () => DeliveryEvent): void {
    if (this.watched) this.services.observer.emit(event());
  }

  outcome(): DeliveryOutcome {
    this.#attempts.sort((a, b) => a.startedAt - b.startedAt);
    const { id } = this;
    const [recipients, attempts, lookups] = [this.#outcomes, this.#attempts, this.#lookups];
    return lookups ? { id, recipients, attempts, lookups } : { id, recipients, attempts };
  }
}

const NOTHING_TRIED: Failure = { kind: 'aborted', message: 'the plan named no relay' };

/** An outcome without the recipient, which the delivery adds. */
type ResultOf<Outcome> = Outcome extends unknown ? Omit<Outcome, 'recipient'> : never;

function isVerdict(value: unknown): value is Verdict {
  if (typeof value !== 'object' || value === null) return false;
  const { action, cool } = value as Partial<Verdict>;
  return (action === 'next-relay' || action === 'reject' || action === 'stop') && typeof cool === 'boolean';
}
