/**
 * Whose turn it is within a tier: smooth weighted round-robin by credits, as pure functions over
 * values.
 *
 * Before a pick every candidate gains its weight; the one with the most credit is picked and pays
 * what all of them gained. So the shares follow the weights, evenly interleaved. The charge falls
 * on the relay that is *attempted*, when the attempt starts: parallel deliveries spread, and a
 * relay that steps in for a dead neighbour has paid for it when its own turn comes, so it does not
 * carry a double share. Relays that are out of the running neither gain nor pay, so a long outage
 * saves up no burst.
 */

/** A relay of a tier, as the rotation sees it. */
export interface Weighted {
  readonly id: string;
  readonly weight: number;
}

/** Credit by relay id; absent means 0. The credits of a tier add up to 0. */
export type Credits = ReadonlyMap<string, number>;

/** One pick, kept so that it can be taken back if the attempt never started. */
export interface Charge {
  readonly candidates: readonly Weighted[];
  readonly picked: Weighted;
}

/** The candidate whose turn it is; on a tie the earlier in definition order. Undefined without candidates. */
export function nextInTurn<W extends Weighted>(credits: Credits, candidates: readonly W[]): W | undefined {
  let best: W | undefined;
  let most = -Infinity;
  for (const candidate of candidates) {
    const credit = (credits.get(candidate.id) ?? 0) + candidate.weight;
    if (credit > most) {
      best = candidate;
      most = credit;
    }
  }
  return best;
}

/** The credits after an attempt at `picked` has started. */
export function charged(credits: Credits, charge: Charge): Credits {
  return shifted(credits, charge, 1);
}

/** The credits as if that attempt had not been picked: what a delivery that waited in vain gives back. */
export function refunded(credits: Credits, charge: Charge): Credits {
  return shifted(credits, charge, -1);
}

function shifted(credits: Credits, { candidates, picked }: Charge, sign: 1 | -1): Credits {
  if (candidates.length === 1) return credits;
  const next = new Map(credits);
  let pot = 0;
  for (const { id, weight } of candidates) {
    next.set(id, (next.get(id) ?? 0) + sign * weight);
    pot += weight;
  }
  next.set(picked.id, (next.get(picked.id) ?? 0) - sign * pot);
  return next;
}

/**
 * The credits of a tier not used yet. A random start keeps many short-lived processes from all
 * beginning with the first relay.
 *
 * @param dice a number in [0, 1); 0 starts with the first relay in definition order
 */
export function startingCredits(relays: readonly Weighted[], dice: number): Credits {
  const total = relays.reduce((sum, { weight }) => sum + weight, 0);
  let credits: Credits = new Map();
  for (let turn = Math.floor(dice * total); turn > 0; turn--) {
    const picked = nextInTurn(credits, relays);
    if (picked) credits = charged(credits, { candidates: relays, picked });
  }
  return credits;
}
