/**
 * Which relay a delivery tries next: first all that are not cooled, in tier order and by turn
 * within a tier; then the cooled ones, soonest to recover first. A relay is tried once in a
 * delivery, and none is left out: a memory of failure must never be the reason for not trying.
 *
 * A host that was looked up takes turns by its name, so that many addresses earn it no larger
 * share; each address is tried, and cooled, by itself.
 */
import type { Relay } from './relay.js';
import { nextInTurn, type Charge, type Credits, type Weighted } from './rotation.js';

/** One that takes turns in a tier. `places`: the addresses of a host that was looked up, in the order to try them. */
export interface Candidate extends Weighted {
  readonly places?: readonly Relay[];
}

export interface CandidateTier {
  readonly relays: readonly Candidate[];
}

/** What the choice depends on beside the plan. Relays are known by their `key`. */
export interface Standing {
  /** Rotation credits of a tier, by its index. */
  credits(tier: number): Credits;
  isCooled(relay: string): boolean;
  /** When a cooled relay's time is over, in milliseconds since the epoch. */
  cooledUntil(relay: string): number;
}

/** The relay to try, at one of its places if it has any, and the charge to make for it. */
export interface Choice {
  readonly tier: number;
  readonly relay: Candidate;
  readonly place?: Relay | undefined;
  readonly charge: Charge;
}

/** The next relay of the plan whose key is not in `tried`; undefined when none is left. */
export function nextChoice(
  tiers: readonly CandidateTier[],
  tried: ReadonlySet<string>,
  standing: Standing,
): Choice | undefined {
  const isFree = (key: string): boolean => !tried.has(key) && !standing.isCooled(key);
  const isCandidate = ({ id, places }: Candidate): boolean =>
    places ? places.some(({ key }) => isFree(key)) : isFree(id);
  for (let tier = 0; tier < tiers.length; tier++) {
    const relays = tiers[tier]?.relays ?? [];
    const candidates = relays.every(isCandidate) ? relays : relays.filter(isCandidate);
    const relay = candidates.length > 1 ? nextInTurn(standing.credits(tier), candidates) : candidates[0];
    if (!relay) continue;
    const place = relay.places?.find(({ key }) => isFree(key));
    return { tier, relay, place, charge: { candidates, picked: relay } };
  }
  return soonestToRecover(tiers, tried, standing);
}

function soonestToRecover(
  tiers: readonly CandidateTier[],
  tried: ReadonlySet<string>,
  standing: Standing,
): Choice | undefined {
  let best: Choice | undefined;
  let soonest = Infinity;
  const consider = (tier: number, relay: Candidate, place: Relay | undefined): void => {
    const key = place?.key ?? relay.id;
    const until = tried.has(key) ? Infinity : standing.cooledUntil(key);
    if (until >= soonest) return;
    best = { tier, relay, place, charge: { candidates: [relay], picked: relay } };
    soonest = until;
  };
  for (const [tier, { relays }] of tiers.entries()) {
    for (const relay of relays) {
      if (relay.places) for (const place of relay.places) consider(tier, relay, place);
      else consider(tier, relay, undefined);
    }
  }
  return best;
}
