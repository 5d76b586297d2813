/**
 * Reads the `tiers` of one route definition: lists of relays, most preferred list first.
 */
import { checkOptions, isAnything, isIntegerBetween, show, suggestion } from './check-options.js';
import type { Problems } from './config-error.js';
import type { Relay } from './relay.js';
import type { TierMember, TierParts } from './relay-actions.js';

/** A relay's share of its tier: a thousandth is as fine as anyone ramps up a new host. */
const isWeight = isIntegerBetween(1, 1000);

const ENTRY_CHECKS = { relay: isAnything, weight: isWeight };

/** The tiers by index as priority; adds a problem for everything wrong with them. */
export function defineTiers(
  tiers: unknown,
  relays: ReadonlyMap<string, Relay>,
  path: string,
  problems: Problems,
): TierParts[] {
  if (!isFilled(tiers)) {
    problems.add(
      path,
      `must be a non-empty array of tiers, such as [["first", "second"], ["backup"]], got ${show(tiers)}`,
    );
    return [];
  }
  const placeOf = new Map<string, string>();
  return tiers.map((tier: unknown, priority): TierParts => {
    const at = `${path}[${String(priority)}]`;
    if (!isFilled(tier)) {
      const example = typeof tier === 'string' ? `: write [${show(tier)}]` : `, got ${show(tier)}`;
      problems.add(at, `must be a non-empty array of relay ids${example}`);
      return { priority, members: [] };
    }
    const members = tier.flatMap((entry: unknown, index): TierMember[] => {
      const place = `${at}[${String(index)}]`;
      const member = defineMember(entry, relays, place, problems);
      if (!member) return [];
      const { id } = member.relay;
      const first = placeOf.get(id);
      if (first === undefined) placeOf.set(id, place);
      else problems.add(place, `relay ${show(id)} is in this route already, at ${first}`);
      return [member];
    });
    return { priority, members };
  });
}

function isFilled(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && value.length > 0;
}

function defineMember(
  entry: unknown,
  relays: ReadonlyMap<string, Relay>,
  path: string,
  problems: Problems,
): TierMember | undefined {
  const member: unknown = typeof entry === 'string' ? { relay: entry } : entry;
  if (typeof member !== 'object' || member === null) {
    problems.add(path, `must be a relay id or { relay, weight }, got ${show(entry)}`);
    return undefined;
  }
  checkOptions(member, ENTRY_CHECKS, path, problems);
  const { relay: id, weight = 1 } = member as { relay?: unknown; weight?: unknown };
  const relay = typeof id === 'string' ? relays.get(id) : undefined;
  if (relay) return { relay, weight: weight as number };
  const message =
    typeof id === 'string'
      ? `no relay is called ${show(id)}${suggestion(id, [...relays.keys()])}`
      : `must be the id of a relay, got ${show(id)}`;
  problems.add(entry === id ? path : `${path}.relay`, message);
  return undefined;
}
