/**
 * An answer of the app's own look-up, checked: what it names is connected to, and ends up in
 * outcomes and logs.
 */
import { canonicalIP } from '../core/ip-address.js';
import type { Failure } from '../core/failure.js';
import type { LookedUpExchange, Lookup } from '../core/outcome.js';
import { fieldsOf, readFailure } from '../core/read-failure.js';
import { printable } from '../core/reply.js';

/** Either `failure` or `exchanges` is there, at least one, each with at least one address. */
export function readMxAnswer(domain: string, answer: unknown): Lookup {
  const { failure, tiers, servers, cached, skipped } = fieldsOf(answer);
  const about = {
    domain,
    ...(isList(servers) && { servers: servers.filter(isText).map(printable) }),
    ...(typeof cached === 'boolean' && { cached }),
    ...(isList(skipped) && skipped.length > 0 && { skipped: skipped.map(readSkipped) }),
  };
  const read = readFailure(failure);
  if (read) return { ...about, failure: read };
  const exchanges = isList(tiers) && tiers.length > 0 ? tiers.map(readTier) : [undefined];
  if (exchanges.every((tier) => tier !== undefined)) return { ...about, exchanges: exchanges.flat() };
  return { ...about, failure: lookupFailed('the look-up answered neither exchanges nor a failure') };
}

/** A look-up that failed of itself, not by what DNS said. */
export function lookupFailed(message: string): Failure {
  return { kind: 'lost', phase: 'connect', code: 'EDNS', enhanced: '4.4.3', message };
}

function readTier(value: unknown, tier: number): LookedUpExchange[] | undefined {
  const exchanges = isList(value) ? value.map((exchange) => readExchange(exchange, tier)) : [];
  return exchanges.length > 0 && exchanges.every((exchange) => exchange !== undefined) ? exchanges : undefined;
}

function readExchange(value: unknown, tier: number): LookedUpExchange | undefined {
  const { name, addresses } = fieldsOf(value);
  if (!isText(name) || name === '' || !isList(addresses) || addresses.length === 0) return undefined;
  const canonical = addresses.map((address) => (isText(address) ? canonicalIP(address) : undefined));
  if (!canonical.every((address) => address !== undefined)) return undefined;
  return { name: printable(name), tier, addresses: canonical };
}

function readSkipped(value: unknown): { name: string; why: string } {
  const { name, why } = fieldsOf(value);
  return { name: isText(name) ? printable(name) : '', why: isText(why) ? printable(why) : '' };
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
