/**
 * What the resolver answers for one domain, as frozen, JSON-safe data. A plan names relays and
 * says where they are, but not how to speak to them: it is logged and stored, and settings may
 * hold credentials.
 */

/** A relay's place in a tier. `host` without brackets; empty, with port 0, for a wrapped transport. */
export interface PlannedRelay {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  /** Share of the tier's mail, 1 to 1000. */
  readonly weight: number;
  /** `mx`: the exchanges of `host` are looked up first. */
  readonly lookup: 'address' | 'mx';
}

/** Relays of one priority, lowest first: the index of the tier in `defineRoutes`, `/pri=` (0–65535) in text. */
export interface Tier {
  readonly priority: number;
  readonly relays: readonly PlannedRelay[];
}

/** The `match` of a plan that no rule gave: the table has no `ALL`, and says `otherwise: 'mx'`. No pattern is spelt so. */
export const OTHERWISE = 'OTHERWISE';

/**
 * Where the mail of a domain goes. `match` is the canonical pattern of the rule that won
 * (`example.com`, `.example.com`, `[192.0.2.1]`, `ALL`), or `OTHERWISE`.
 */
export type RoutePlan =
  | { readonly action: 'relay'; readonly match: string; readonly tiers: readonly Tier[] }
  /** Look up the exchanges of `domain`, a canonical domain or address literal. Rules are not applied to the answer. */
  | { readonly action: 'mx'; readonly match: string; readonly domain: string }
  | { readonly action: 'discard'; readonly match: string }
  /** `reason` is a sentence, without the text that was asked for. */
  | { readonly action: 'reject'; readonly reason: string };
