/**
 * MX records as tiers of names (RFC 5321 5.1): lower preferences first, equal ones together. What is
 * no name never reaches the resolver again; the root, which is a null MX among others (RFC 7505), is
 * passed over.
 */
import { canonicalDomain } from '../core/domain.js';
import type { MxRecord } from './queries.js';

/** A preference, and the exchanges that share it, once each, in the order of the answer. */
export interface PreferenceTier {
  readonly preference: number;
  readonly names: readonly string[];
}

export interface ExchangeList {
  readonly tiers: readonly PreferenceTier[];
  /** Names that are none, once each. */
  readonly unusable: readonly string[];
}

/** The only exchange is the root: the domain takes no mail. */
export function isNullMx(records: readonly MxRecord[]): boolean {
  return records.length > 0 && records.every(({ exchange }) => isRoot(exchange));
}

export function exchangeList(records: readonly MxRecord[]): ExchangeList {
  const unusable = new Set<string>();
  const seen = new Set<string>();
  const tiers = new Map<number, string[]>();
  for (const { exchange, priority } of [...records].sort((a, b) => a.priority - b.priority)) {
    if (isRoot(exchange)) continue;
    const name = hostName(exchange);
    if (name === undefined) unusable.add(exchange);
    else if (!seen.has(name)) {
      seen.add(name);
      const tier = tiers.get(priority);
      if (tier) tier.push(name);
      else tiers.set(priority, [name]);
    }
  }
  return { tiers: [...tiers].map(([preference, names]) => ({ preference, names })), unusable: [...unusable] };
}

/** The tiers preferred to the first that names us: the others would send the mail in a circle. */
export function aboveOwn(tiers: readonly PreferenceTier[], ownNames: readonly string[]): readonly PreferenceTier[] {
  const own = tiers.findIndex(({ names }) => names.some((name) => ownNames.includes(name)));
  return own < 0 ? tiers : tiers.slice(0, own);
}

/** The canonical name; undefined for what is none, address literals among it. */
export function hostName(text: string): string | undefined {
  return text.startsWith('[') ? undefined : canonicalDomain(text);
}

function isRoot(exchange: string): boolean {
  return exchange === '' || exchange === '.';
}
