/**
 * One transaction with one relay: send, then say for each recipient what the result means.
 */
import type { Choice } from '../core/attempt-order.js';
import type { Failure, Phase } from '../core/failure.js';
import type { Relay } from '../core/relay.js';
import { summarized } from './attempt-summary.js';
import type { Delivery, DeliveryServices } from './delivery.js';
import type { RelayResult } from './relay-states.js';
import type { ConnectionInfo, TransportEvent } from './relay-transport.js';
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
    const { services } = delivery;
    this.#delivery = delivery;
    this.#relay = relay;
    this.#tier = tier;
    this.#open = open;
    this.#recipients = open.map(({ recipient }) => recipient.address);
    this.#startedAt = services.clock.now();
    this.#watch = new ConnectionWatch(services, relay);
  }

  send(): Promise<readonly SendResult[]> {
    const delivery = this.#delivery;
    const { id: deliveryId, services } = delivery;
    const relay = this.#relay;
    const { id, host, port } = relay;
    const watch = this.#watch;
    if (delivery.watched)
      services.observer.emit({
        type: 'attempt-started',
        at: this.#startedAt,
        id: deliveryId,
        relay: id,
        host,
        port,
        tier: this.#tier,
        recipients: this.#recipients,
      });
    return transact(services, {
      relay,
      envelope: delivery.envelopeTo(this.#open.map(({ recipient }) => recipient.wire)),
      message: delivery.message,
      onEvent: watch.onEvent,
      limitAt: Math.min(this.#startedAt + services.attemptTimeoutMs, delivery.deadlineAt),
      interruption: delivery.interruption,
      phaseNow: watch.phaseNow,
    });
  }

  concluded(results: readonly SendResult[]): TransactionResult {
    const delivery = this.#delivery;
    const { services } = delivery;
    const { id, host, port } = this.#relay;
    const startedAt = this.#startedAt;
    const endedAt = services.clock.now();
    const sorted = sortOut(delivery, id, this.#open, results);
    const watch = this.#watch;
    const attempt = summarized(
      { relay: id, host, port, tier: this.#tier, recipients: this.#recipients, startedAt, endedAt },
      results,
      sorted,
      watch,
    );
    delivery.record(attempt);
    if (delivery.watched) {
      const { taken } = watch;
      const { accepted } = sorted;
      services.observer.emit({
        type: 'attempt-ended',
        at: endedAt,
        id: delivery.id,
        attempt,
        ...(taken && { connection: taken.connection }),
        delivered: accepted.map(({ address }) => address),
        ...(sorted.response !== undefined && { response: sorted.response }),
      });
    }
    return { left: sorted.left, overflow: sorted.overflow, relay: relayResult(delivery, sorted, endedAt - startedAt) };
  }
}

/** The relay is down and another delivery has just tried it: its failure counts here too, without a connection of our own. */
export function recordShared(
  delivery: Delivery,
  { tier, relay }: Choice,
  open: readonly OpenRecipient[],
  failure: Failure,
): readonly OpenRecipient[] {
  const now = delivery.services.clock.now();
  const results = open.map(() => ({ failure }));
  const sorted = sortOut(delivery, relay.id, open, results);
  const { id, host, port } = relay;
  const recipients = open.map(({ recipient }) => recipient.address);
  const attempt = summarized(
    { relay: id, host, port, tier, recipients, startedAt: now, endedAt: now },
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

/** Hears of the connections of one send. Kept apart from the delivery: a pooled connection may outlive it, and must not keep its message. */
class ConnectionWatch {
  /** The connection that this send goes over, as far as it is known. */
  taken: ConnectionInfo | undefined;
  /** How far the send has got for certain: up to MAIL once it has a connection that is ready for use. */
  phase: Phase = 'connect';
  #open: number | undefined;
  readonly onEvent: (event: TransportEvent) => void;
  readonly phaseNow = (): Phase => this.phase;

  constructor({ clock, observer }: DeliveryServices, { id, host, port }: Relay) {
    this.onEvent = (event) => {
      if (event.type !== 'connection-closed') this.taken = event;
      if (event.type === 'connection-taken') {
        // A connection that failed before it was of use is told of as taken too, but is closed by then.
        if (event.reused || event.connection === this.#open) this.phase = 'envelope';
        return;
      }
      this.#open = event.type === 'connection-opened' ? event.connection : undefined;
      if (!observer.active) return;
      if (event.type === 'connection-opened') observer.emit({ ...event, at: clock.now(), relay: id, host, port });
      else observer.emit({ ...event, at: clock.now(), relay: id });
    };
  }
}
