/**
 * Finds where the exchanges of a domain are: looks up as many as a delivery may need, and cuts what
 * it found to what a delivery may try. However long the answer, the work is bounded, and each
 * preference has its share of it.
 */
import type { MxExchange } from '../delivery/dns-lookup.js';
import type { PreferenceTier } from './exchange-list.js';
import { fairShare, inTurn } from './fair-share.js';
import type { HostAddresses } from './host-addresses.js';

/** Exchanges with their addresses, tier by tier; and what was left out, and why. */
export interface FoundHosts {
  readonly tiers: readonly (readonly MxExchange[])[];
  readonly skipped: readonly { readonly name: string; readonly why: string }[];
  /** The code of an answer that is missing, if one is. */
  readonly trouble?: string | undefined;
  /** Whether an address was refused. */
  readonly refused: boolean;
  /** How long this holds, in milliseconds. */
  readonly ttlMs: number;
}

export interface FindHostsOptions {
  readonly addresses: (name: string) => Promise<HostAddresses>;
  readonly isAllowed: (address: string) => boolean;
  /** Addresses that a delivery may try. */
  readonly maxHosts: number;
}

/** Exchanges that do not resolve give way to others, up to so many times what a delivery may try. */
const MAX_LOOKUPS_PER_HOST = 3;

interface Host {
  readonly name: string;
  readonly tier: number;
  readonly families: readonly (readonly string[])[];
}

export async function findHosts(tiers: readonly PreferenceTier[], options: FindHostsOptions): Promise<FoundHosts> {
  const { addresses, isAllowed, maxHosts } = options;
  const queue = inTurn(tiers.map(({ names }, tier) => names.map((name) => ({ name, tier }))));
  const bounded = queue.slice(0, maxHosts * MAX_LOOKUPS_PER_HOST);
  const hosts: Host[] = [];
  const skipped: { name: string; why: string }[] = [];
  let [trouble, refused, ttlMs]: [string | undefined, boolean, number] = [undefined, false, Infinity];
  for (let next = 0; next < bounded.length && hosts.length < maxHosts;) {
    const wave = bounded.slice(next, next + maxHosts - hosts.length);
    next += wave.length;
    const answers = await Promise.all(wave.map(async (each) => ({ ...each, answer: await addresses(each.name) })));
    for (const { name, tier, answer } of answers) {
      const families = answer.families.map((family) => family.filter(isAllowed));
      const notAllowed = answer.families.flat().filter((address) => !isAllowed(address));
      refused ||= notAllowed.length > 0;
      trouble ??= answer.trouble;
      ttlMs = Math.min(ttlMs, answer.ttlMs);
      if (families.flat().length > 0) hosts.push({ name, tier, families });
      if (notAllowed.length > 0) skipped.push({ name, why: `not public: ${notAllowed.slice(0, 3).join(', ')}` });
      if (answer.trouble !== undefined) skipped.push({ name, why: answer.trouble });
      if (answer.none) skipped.push({ name, why: answer.none === 'name' ? 'no such name' : 'no address' });
    }
  }
  return { tiers: cut(distinct(hosts), tiers.length, maxHosts), skipped, trouble, refused, ttlMs };
}

/** Each address once, where it is preferred most. */
function distinct(hosts: readonly Host[]): Host[] {
  const seen = new Set<string>();
  const isNew = (address: string): boolean => !seen.has(address) && seen.add(address) === seen;
  return [...hosts]
    .sort((a, b) => a.tier - b.tier)
    .map((host) => ({ ...host, families: host.families.map((family) => family.filter(isNew)) }))
    .filter(({ families }) => families.flat().length > 0);
}

/** Addresses shared fairly among tiers, within a tier among hosts, and within a host among families. */
function cut(hosts: readonly Host[], tierCount: number, maxHosts: number): MxExchange[][] {
  const tiers = Array.from({ length: tierCount }, (_, tier) => hosts.filter((host) => host.tier === tier));
  const turns = tiers.map((tier) => inTurn(tier.map((host) => host.families.flat().map(() => host))));
  return fairShare(turns, maxHosts)
    .map((chosen) =>
      [...new Set(chosen)].map(({ name, families }) => {
        const count = chosen.filter((host) => host.name === name).length;
        return { name, addresses: fairShare(families, count).flat() };
      }),
    )
    .filter((tier) => tier.length > 0);
}
