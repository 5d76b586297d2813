/**
 * The relays that DNS names, and no table holds: asked for domain by domain, each address a relay of
 * its own. The same object each time, so that its connections can be used again.
 */
import type { Candidate, CandidateTier } from '../core/attempt-order.js';
import { errorMessage } from '../core/error-message.js';
import type { Failure } from '../core/failure.js';
import type { LookedUpExchange, Lookup } from '../core/outcome.js';
import { Relay } from '../core/relay.js';
import type { PlannedRelay } from '../core/route-plan.js';
import { BoundedMap } from './bounded-map.js';
import type { Delivery, Recipient } from './delivery.js';
import { noDnsFailure, type DnsLookup, type MxAnswer, type MxQuestion } from './dns-lookup.js';
import { mxVia, type MxOptions } from './mx-options.js';
import { lookupFailed, readMxAnswer } from './read-mx-answer.js';
import type { Rotation } from './relay-states.js';

/** Where mail goes after the look-ups, or why it cannot. */
export type Way = Rotation | { readonly failure: Failure };

type Places = (exchange: LookedUpExchange) => Relay[];

/** Addresses of strangers to remember; one forgotten while in use costs a connection more. */
const MAX_EXCHANGES = 10_000;
const MAX_PLACES_OF_RELAY = 100;

export class Exchanges {
  readonly #dns: DnsLookup | undefined;
  /** Of recipients' domains. */
  readonly #places: Places;
  /** Of hosts that relays name: with those relays' settings, so never shared between two. */
  readonly #placesOf = new WeakMap<Relay, { readonly places: Places; turn: number }>();
  readonly #lookups = new WeakMap<MxAnswer, Lookup>();
  readonly #rotations = new WeakMap<Lookup, Rotation>();

  constructor(dns: DnsLookup | undefined, mx: MxOptions) {
    this.#dns = dns;
    this.#places = remembered(MAX_EXCHANGES, (name, address) => {
      if (name.startsWith('[')) return new Relay(name, mxVia(mx, address), undefined, { host: address, address });
      return new Relay(name, { ...mxVia(mx, name), servername: name }, undefined, { host: name, address });
    });
  }

  /** The exchanges of a recipient's domain, rotated under the domain's name. At once if that needs no waiting. */
  ofDomain(delivery: Delivery, domain: string): Way | Promise<Way> {
    const lookup = this.#lookUp(delivery, domain, 'recipient');
    return lookup instanceof Promise ? lookup.then((read) => this.#wayTo(read)) : this.#wayTo(lookup);
  }

  /** A plan's relays, those with `lookup: 'mx'` at their exchanges. One whose exchanges cannot be found is passed over. */
  ofRelays(delivery: Delivery, plan: Rotation<PlannedRelay>, relayOf: (id: string) => Relay): Way | Promise<Way> {
    if (!this.#dns || !plan.tiers.some(({ relays }) => relays.some(isNamedByMx))) return plan;
    return this.#expanded(delivery, plan, relayOf);
  }

  async #expanded(delivery: Delivery, plan: Rotation<PlannedRelay>, relayOf: (id: string) => Relay): Promise<Way> {
    let failure: Failure | undefined;
    const candidateOf = async (relay: PlannedRelay): Promise<Candidate[]> => {
      if (!isNamedByMx(relay)) return [relay];
      const lookup = await this.#lookUp(delivery, relay.host, 'relay');
      if (lookup.exchanges) return [{ ...relay, places: this.#placesOfRelay(relayOf(relay.id), lookup.exchanges) }];
      failure ??= relayFailure(relay, lookup.failure);
      return [];
    };
    const tiers = await Promise.all(
      plan.tiers.map(async ({ relays }) => ({ relays: (await Promise.all(relays.map(candidateOf))).flat() })),
    );
    return failure && tiers.every(({ relays }) => relays.length === 0) ? { failure } : { ...plan, tiers };
  }

  /** In order of preference, and from one delivery to the next beginning with another of the first. */
  #placesOfRelay(relay: Relay, exchanges: readonly LookedUpExchange[]): Relay[] {
    let known = this.#placesOf.get(relay);
    if (!known) {
      const places = remembered(MAX_PLACES_OF_RELAY, (host, address) => {
        return new Relay(relay.id, relay.via, relay.port, { host, address });
      });
      known = { places, turn: 0 };
      this.#placesOf.set(relay, known);
    }
    const turn = known.turn++;
    return tiersOf(exchanges)
      .flatMap((tier) => turned(tier, turn))
      .flatMap(known.places);
  }

  #wayTo(lookup: Lookup): Way {
    const { domain, exchanges, failure } = lookup;
    if (!exchanges) return { failure: failure ?? noDnsFailure(domain) };
    let rotation = this.#rotations.get(lookup);
    if (!rotation) {
      const candidates = (tier: readonly LookedUpExchange[]): CandidateTier => ({
        relays: tier.map((exchange) => ({ id: exchange.name, weight: 1, places: this.#places(exchange) })),
      });
      rotation = { name: `MX of ${domain}`, tiers: tiersOf(exchanges).map(candidates), lookedUp: true };
      this.#rotations.set(lookup, rotation);
    }
    return rotation;
  }

  #lookUp(delivery: Delivery, domain: string, purpose: MxQuestion['for']): Lookup | Promise<Lookup> {
    const answer = this.#dns ? ask(this.#dns, delivery, domain, purpose) : { failure: noDnsFailure(domain) };
    const told = (read: Lookup): Lookup => {
      if (this.#dns) delivery.recordLookup(read);
      delivery.emit(() => ({ type: 'lookup', at: delivery.services.clock.now(), id: delivery.id, ...read }));
      return read;
    };
    return answer instanceof Promise
      ? answer.then((late) => told(this.#read(domain, late)))
      : told(this.#read(domain, answer));
  }

  /** A frozen answer, as one from a cache, is read only once. */
  #read(domain: string, answer: MxAnswer): Lookup {
    const known = this.#lookups.get(answer);
    if (known?.domain === domain) return known;
    const lookup = readMxAnswer(domain, answer);
    if (Object.isFrozen(answer)) this.#lookups.set(answer, lookup);
    return lookup;
  }
}

/** What no relay can be found for. */
export function settleUnreachable(delivery: Delivery, recipients: readonly Recipient[], failure: Failure): void {
  const retryAt = delivery.retryAt();
  for (const recipient of recipients) {
    if (failure.kind === 'unroutable') delivery.settle(recipient, { status: 'rejected', failure });
    else delivery.settleOpen(recipient, failure, retryAt);
  }
}

function isNamedByMx({ lookup }: PlannedRelay): boolean {
  return lookup === 'mx';
}

/** A host that a route names is not the mail's affair: whatever DNS says of it, the mail waits. */
function relayFailure({ host }: PlannedRelay, failure: Failure | undefined): Failure {
  if (failure && failure.kind !== 'unroutable') return failure;
  return lookupFailed(`relay ${host} has no exchange: ${failure?.message ?? ''}`);
}

function remembered(limit: number, make: (name: string, address: string) => Relay): Places {
  const known = new BoundedMap<Relay>(limit);
  return ({ name, addresses }) =>
    addresses.map((address) => {
      const key = `${name} ${address}`;
      let relay = known.get(key);
      if (!relay) {
        relay = make(name, address);
        known.set(key, relay);
      }
      return relay;
    });
}

function tiersOf(exchanges: readonly LookedUpExchange[]): LookedUpExchange[][] {
  const tiers: LookedUpExchange[][] = [];
  for (const exchange of exchanges) (tiers[exchange.tier] ??= []).push(exchange);
  return tiers;
}

function turned<T>(list: readonly T[], by: number): T[] {
  const first = by % list.length;
  return [...list.slice(first), ...list.slice(0, first)];
}

/** Asks, and waits no longer than the delivery may take: a look-up that minds no signal must not hold it up. */
function ask(
  dns: DnsLookup,
  { interruption, services }: Delivery,
  domain: string,
  purpose: MxQuestion['for'],
): MxAnswer | Promise<MxAnswer> {
  if (interruption.reason) return { failure: lookupFailed(interruption.reason.message) };
  const controller = services.controllers.take();
  const answer = answerOf(dns, domain, { signal: controller.signal, for: purpose });
  if (!(answer instanceof Promise)) {
    services.controllers.giveBack(controller);
    return answer;
  }
  return new Promise((resolve) => {
    const settle = (settled: MxAnswer): void => {
      stopListening();
      services.controllers.giveBack(controller);
      resolve(settled);
    };
    const stopListening = interruption.listen((reason) => {
      controller.abort(reason);
      settle({ failure: lookupFailed(reason.message) });
    });
    void answer.then(settle);
  });
}

/** Never throws or rejects. What is no object is told apart when it is read. */
function answerOf(dns: DnsLookup, domain: string, question: MxQuestion): MxAnswer | Promise<MxAnswer> {
  const failed = (error: unknown): MxAnswer => ({ failure: lookupFailed(errorMessage(error)) });
  const whole = (answer: unknown): MxAnswer =>
    (typeof answer === 'object' && answer !== null ? answer : {}) as MxAnswer;
  try {
    const answer = dns.exchanges(domain, question);
    return isThenable(answer) ? Promise.resolve(answer).then(whole, failed) : whole(answer);
  } catch (error) {
    return failed(error);
  }
}

/** By what it does: a look-up may have promises of its own. */
function isThenable(value: unknown): value is PromiseLike<MxAnswer> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}
