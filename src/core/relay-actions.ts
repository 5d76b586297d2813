/**
 * Makes `relay` actions, one for equal tiers. A table of a million customers knows some hundred
 * ways to deliver; a copy for each route would cost ten times the table itself.
 */
import type { Relay } from './relay.js';
import type { PlannedRelay, Tier } from './route-plan.js';
import type { RouteAction } from './route-table.js';

/** A relay of a tier that is being built. */
export interface TierMember {
  readonly relay: Relay;
  readonly weight: number;
}

/** A tier that is being built. */
export interface TierParts {
  readonly priority: number;
  readonly members: readonly TierMember[];
}

export class RelayActions {
  readonly #actions = new Map<string, RouteAction>();

  /** The action for these tiers, in order of priority: the same frozen object for equal ones. */
  of(parts: readonly TierParts[]): RouteAction {
    const key = parts.map(tierKey).join(' ');
    let action = this.#actions.get(key);
    if (!action) {
      action = Object.freeze({ action: 'relay', tiers: Object.freeze(parts.map(frozenTier)) });
      this.#actions.set(key, action);
    }
    return action;
  }
}

/** Unambiguous, since relay ids hold neither commas nor white space. */
function tierKey({ priority, members }: TierParts): string {
  return [String(priority), ...members.map(({ relay, weight }) => `${relay.id},${String(weight)}`)].join(',');
}

function frozenTier({ priority, members }: TierParts): Tier {
  const relays = members.map(({ relay: { id, host, port, lookup }, weight }): PlannedRelay =>
    Object.freeze({ id, host, port, weight, lookup }),
  );
  return Object.freeze({ priority, relays: Object.freeze(relays) });
}
