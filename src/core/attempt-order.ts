/**
 * Which relay a delivery tries next: first all that are not cooled, in tier order and by turn
 * within a tier; then the cooled ones, soonest to recover first. A relay is tried once in a
 * delivery, and none is left out: a memory of failure must never be the reason for not trying.
 */
import { nextInTurn, type Charge, type Credits } from './rotation.js';
import type { PlannedRelay, Tier } from './route-plan.js';

/** What the choice depends on beside the plan. */
export interface Standing {
  /** Rotation credits of a tier, by its index. */
  credits(tier: number): Credits;
  isCooled(relay: string): boolean;
  /** When a cooled relay's time is over, in milliseconds since the epoch. */
  cooledUntil(relay: string): number;
}

/** The relay to try, and the charge to make for it. */
export interface Choice {
  readonly tier: number;
  readonly relay: PlannedRelay;
  readonly charge: Charge;
}

/** The next relay of the plan that is not in `tried`; undefined when none is left. */
export function nextChoice(tiers: readonly Tier[], tried: ReadonlySet<string>, standing: Standing): Choice | undefined {
  const isCandidate = ({ id }: PlannedRelay): boolean => !tried.has(id) && !standing.isCooled(id);
  for (let tier = 0; tier < tiers.length; tier++) {
    const relays = tiers[tier]?.relays ?? [];
    const candidates = relays.every(isCandidate) ? relays : relays.filter(isCandidate);
    const relay = candidates.length > 1 ? nextInTurn(standing.credits(tier), candidates) : candidates[0];
    if (relay) return { tier, relay, charge: { candidates, picked: relay } };
  }
  return soonestToRecover(tiers, tried, standing);
}

function soonestToRecover(tiers: readonly Tier[], tried: ReadonlySet<string>, standing: Standing): Choice | undefined {
  let best: Choice | undefined;
  let soonest = Infinity;
  for (const [tier, { relays }] of tiers.entries()) {
    for (const relay of relays) {
      const until = tried.has(relay.id) ? Infinity : standing.cooledUntil(relay.id);
      if (until < soonest) {
        best = { tier, relay, charge: { candidates: [relay], picked: relay } };
        soonest = until;
      }
    }
  }
  return best;
}
