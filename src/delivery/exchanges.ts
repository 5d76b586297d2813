/**
 * The relays that DNS names, and no table holds: asked for domain by domain, known by name.
 */
import { errorMessage } from '../core/error-message.js';
import type { Failure } from '../core/failure.js';
import { readFailure } from '../core/read-failure.js';
import { Relay } from '../core/relay.js';
import type { Delivery, Recipient } from './delivery.js';
import { noDnsFailure, type DnsLookup, type MxAnswer } from './dns-lookup.js';
import type { Interruption } from './interruption.js';
import type { Rotation } from './relay-states.js';

const SMTP_PORT = 25;

export class Exchanges {
  readonly #dns: DnsLookup | undefined;
  readonly #relays = new Map<string, Relay>();

  constructor(dns: DnsLookup | undefined) {
    this.#dns = dns;
  }

  /** The tiers that DNS answers for a domain, rotated under the domain's name. */
  async lookUp(delivery: Delivery, domain: string): Promise<Rotation | { readonly failure: Failure }> {
    const answer = await ask(this.#dns, domain, delivery.interruption);
    delivery.emit(() => ({
      type: 'lookup',
      at: delivery.services.clock.now(),
      id: delivery.id,
      domain,
      ...('failure' in answer ? { failure: answer.failure } : { exchanges: answer.tiers.flat() }),
    }));
    if ('failure' in answer) return answer;
    const tiers = answer.tiers.map((names, priority) => ({
      priority,
      relays: names.map((id) => ({ id, host: id, port: SMTP_PORT, weight: 1, lookup: 'address' as const })),
    }));
    return { name: `MX of ${domain}`, tiers };
  }

  /** The relay of an exchange, the same object each time, so that its connections can be used again. */
  relay(name: string): Relay {
    let relay = this.#relays.get(name);
    if (!relay) {
      relay = new Relay(name, { host: name, port: SMTP_PORT });
      this.#relays.set(name, relay);
    }
    return relay;
  }

  relays(): Iterable<Relay> {
    return this.#relays.values();
  }
}

export function settleLookupFailure(delivery: Delivery, recipients: readonly Recipient[], failure: Failure): void {
  const retryAt = delivery.retryAt();
  for (const recipient of recipients) {
    if (failure.kind === 'unroutable') delivery.settle(recipient, { status: 'rejected', failure });
    else delivery.settleOpen(recipient, failure, retryAt);
  }
}

/** Asks, and waits no longer than the delivery may take: a look-up that minds no signal must not hold it up. */
function ask(dns: DnsLookup | undefined, domain: string, interruption: Interruption): Promise<MxAnswer> {
  if (!dns) return Promise.resolve({ failure: noDnsFailure(domain) });
  if (interruption.reason) return Promise.resolve({ failure: lookupFailed(interruption.reason.message) });
  return new Promise((resolve) => {
    const controller = new AbortController();
    const stopListening = interruption.listen((reason) => {
      resolve({ failure: lookupFailed(reason.message) });
      controller.abort(reason);
    });
    void answerOf(dns, domain, controller.signal).then((answer) => {
      stopListening();
      resolve(answer);
    });
  });
}

async function answerOf(dns: DnsLookup, domain: string, signal: AbortSignal): Promise<MxAnswer> {
  try {
    return readAnswer(await dns.exchanges(domain, { signal }));
  } catch (error) {
    return { failure: lookupFailed(errorMessage(error)) };
  }
}

/** An answer of the app's own look-up, checked: tiers of names, at least one, or a failure. */
function readAnswer(answer: { readonly failure?: unknown; readonly tiers?: unknown }): MxAnswer {
  const failure = readFailure(answer.failure);
  if (failure) return { failure };
  const tiers: readonly unknown[] = Array.isArray(answer.tiers) ? answer.tiers : [];
  const names = tiers.filter(isNames);
  if (names.length === 0 || names.length < tiers.length) {
    return { failure: lookupFailed('the look-up answered neither exchanges nor a failure') };
  }
  return { tiers: names };
}

function isNames(tier: unknown): tier is readonly string[] {
  return Array.isArray(tier) && tier.length > 0 && tier.every((name) => typeof name === 'string' && name !== '');
}

function lookupFailed(message: string): Failure {
  return { kind: 'lost', phase: 'connect', code: 'EDNS', enhanced: '4.4.3', message };
}
