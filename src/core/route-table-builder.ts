/**
 * Gathers routes for a table, from code or from text. One place decides what a pattern is and that
 * it has only one route: were the later of two to win, list order would matter after all.
 */
import { show } from './check-options.js';
import { detached } from './detached.js';
import { canonicalPattern, patternProblem } from './pattern.js';
import type { Relay } from './relay.js';
import { RouteTable, type RouteAction } from './route-table.js';

/** To the domain's own exchanges. */
export const MX: RouteAction = Object.freeze({ action: 'mx', tiers: Object.freeze([]) });
/** Nowhere, reported as discarded. */
export const DISCARD: RouteAction = Object.freeze({ action: 'discard', tiers: Object.freeze([]) });

export class RouteTableBuilder {
  readonly #nameOf: (place: number) => string;
  readonly #actions = new Map<string, RouteAction>();
  readonly #groups = new Map<string, readonly string[]>();
  /** The place of each key of `#actions`, in their order. */
  readonly #places: number[] = [];
  /** Made when the first duplicate turns up: a second map costs as much as the first, and most tables need none. */
  #placeByPattern: Map<string, number> | undefined;

  /** Places are numbers, because a table may have a million; `nameOf` says what one is called in a problem. */
  constructor(nameOf: (place: number) => string) {
    this.#nameOf = nameOf;
  }

  /** Adds a match and answers its canonical pattern. Calls `refuse` and answers undefined if it is none, or taken. */
  add(match: string, action: RouteAction, place: number, refuse: (message: string) => void): string | undefined {
    const canonical = canonicalPattern(match);
    if (canonical === undefined) {
      refuse(`${show(match)} ${patternProblem(match)}`);
      return undefined;
    }
    if (this.#actions.has(canonical)) {
      refuse(`${show(match)} has a route already, at ${this.#placeOf(canonical)}: make one of the two`);
      return undefined;
    }
    const pattern = detached(canonical);
    this.#actions.set(pattern, action);
    this.#places.push(place);
    this.#placeByPattern?.set(pattern, place);
    return pattern;
  }

  /** Makes one rule of patterns that were added. */
  group(patterns: readonly string[]): void {
    if (patterns.length < 2) return;
    const group = Object.freeze([...patterns]);
    for (const pattern of group) this.#groups.set(pattern, group);
  }

  build(relays: ReadonlyMap<string, Relay>, otherwise: 'mx' | 'reject'): RouteTable {
    return new RouteTable({ relays, actions: this.#actions, groups: this.#groups, otherwise });
  }

  #placeOf(pattern: string): string {
    this.#placeByPattern ??= new Map([...this.#actions.keys()].map((key, index) => [key, this.#places[index] ?? 0]));
    return this.#nameOf(this.#placeByPattern.get(pattern) ?? 0);
  }
}
