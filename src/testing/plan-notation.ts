/**
 * A route plan in one line, as people write it on a whiteboard: `exchange1|exchange2 > backup`.
 * Relays of a tier stand beside each other, a weight behind its relay (`exchange1*3|exchange2`), and
 * the next tier behind a `>`. A plan without relays is a word: `mx`, `discard`, `reject`.
 */
import type { RoutePlan, Tier } from '../core/route-plan.js';

export function planNotation(plan: RoutePlan): string {
  return plan.action === 'relay' ? tiersNotation(plan.tiers) : plan.action;
}

export function tiersNotation(tiers: readonly Tier[]): string {
  return tiers
    .map(({ relays }) => relays.map(({ id, weight }) => (weight === 1 ? id : `${id}*${String(weight)}`)).join('|'))
    .join(' > ');
}

/** The tiers of a notation, each a sorted list of relays: within a tier the order means nothing. */
export function readNotation(notation: string): readonly (readonly string[])[] {
  return notation.split('>').map((tier) =>
    tier
      .split('|')
      .map((relay) => relay.trim().replace(/\*1$/, ''))
      .sort(),
  );
}
