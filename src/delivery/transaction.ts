/**
 * One transaction with one relay: send, then say for each recipient what the result means. In two
 * steps, because the wait between them belongs to the loop: each further promise would be paid for by
 * every message.
 */
import type { Failure } from '../core/failure.js';
import type { Attempt } from '../core/outcome.js';
import type { Relay } from '../core/relay.js';
import { summarized } from './attempt-summary.js';
import { ConnectionWatch } from './connection-watch.js';
import type { Delivery } from './delivery.js';
import type { RelayResult } from './relay-states.js';
import { sortOut, type OpenRecipient, type Sorted } from './sort-out.js';
import { transact, type SendResult } from './transact.js';

/** How a transaction ended. */
export interface TransactionResult {
  /** To be tried at the next relay. */
  readonly left: readonly OpenRecipient[];
  /** To be sent at once in another transaction with the same relay. */
  readonly overflow: readonly OpenRecipient[];
  /** What it tells of the relay. */
  readonly relay: RelayResult;
}

export class Transaction {
  readonly #delivery: Delivery;
  readonly #relay: Relay;
  readonly #tier: number;
  readonly #open: readonly OpenRecipient[];
  readonly #recipients: readonly string[];
  readonly #startedAt: number;
  readonly #watch: ConnectionWatch;

  constructor(delivery: Delivery, relay: Relay, tier: number, open: readonly OpenRecipient[]) {
    const { clock, observer } = delivery.services;
    this.#delivery = delivery;
    this.#relay = relay;
    this.#tier = tier;
    this.#open = open;
    this.#recipients = open.map(({ recipient }) => recipient.address);
    this.#startedAt = clock.now();
    this.#watch = new ConnectionWatch(clock, observer, relay);
  }

  /** Never rejects. One result for each recipient, in order. */
  send(): Promise<readonly SendResult[]> {
    const { services, message, interruption, deadlineAt } = this.#delivery;
    const watch = this.#watch;
    this.#announceStart();
    return transact(services, {
      relay: this.#relay,
      envelope: this.#delivery.envelopeTo(this.#open.map(({ recipient }) => recipient.wire)),
      message,
      onEvent: watch.onEvent,
      limitAt: Math.min(this.#startedAt + services.attemptTimeoutMs, deadlineAt),
      interruption,
      phaseNow: () => watch.phase,
    });
  }

  /** Settles and records what the results tell. */
  concluded(results: readonly SendResult[]): TransactionResult {
    const delivery = this.#delivery;
    const { id: relay, host, port, address } = this.#relay;
    const startedAt = this.#startedAt;
    const endedAt = delivery.services.clock.now();
    const sorted = sortOut(delivery, relay, this.#open, results);
    const frame = { relay, host, port, address, tier: this.#tier, recipients: this.#recipients, startedAt, endedAt };
    const attempt = summarized(frame, results, sorted, this.#watch);
    delivery.record(attempt);
    this.#announceEnd(attempt, sorted);
    return { left: sorted.left, overflow: sorted.overflow, relay: relayResult(delivery, sorted, endedAt - startedAt) };
  }

  #announceStart(): void {
    const { id, services, watched } = this.#delivery;
    if (!watched) return;
    const { id: relay, host, port, address } = this.#relay;
    const where = { relay, host, port, ...(address !== undefined && { address }) };
    const [at, tier, recipients] = [this.#startedAt, this.#tier, this.#recipients];
    services.observer.emit({ type: 'attempt-started', at, id, ...where, tier, recipients });
  }

  #announceEnd(attempt: Attempt, { accepted, response }: Sorted): void {
    const { id, services, watched } = this.#delivery;
    if (!watched) return;
    const { taken } = this.#watch;
    services.observer.emit({
      type: 'attempt-ended',
      at: attempt.endedAt,
      id,
      attempt,
      ...(taken && { connection: taken.connection }),
      delivered: accepted.map(({ address }) => address),
      ...(response !== undefined && { response }),
    });
  }
}

/** The relay is down and another delivery has just tried it: its failure counts here too, without a connection of our own. */
export function recordShared(
  delivery: Delivery,
  relay: Relay,
  tier: number,
  open: readonly OpenRecipient[],
  failure: Failure,
): readonly OpenRecipient[] {
  const now = delivery.services.clock.now();
  const results = open.map(() => ({ failure }));
  const sorted = sortOut(delivery, relay.id, open, results);
  const { id, host, port, address } = relay;
  const recipients = open.map(({ recipient }) => recipient.address);
  const attempt = summarized(
    { relay: id, host, port, address, tier, recipients, startedAt: now, endedAt: now },
    results,
    sorted,
  );
  delivery.record({ ...attempt, shared: true });
  return sorted.left;
}

/** What the transaction tells of the relay itself. */
function relayResult(delivery: Delivery, { accepted, refused }: Sorted, tookMs: number): RelayResult {
  if (accepted.length > 0) return 'worked';
  // A delivery whose time ran out soon after it got here says nothing of the relay.
  if (delivery.expired && tookMs < delivery.services.deadlineMs / 2) return 'no-news';
  return refused.find(({ verdict }) => verdict.cool)?.failure ?? 'no-news';
}
