/**
 * Builds a route table from definitions in code. Everything is checked here, once and all at once,
 * so that resolving cannot fail and nobody fixes a table one restart at a time.
 */
import { checkOptions, isAnything, isOneOf, show } from './check-options.js';
import { Problems } from './config-error.js';
import { defineRelays } from './define-relays.js';
import { defineTiers } from './define-tiers.js';
import { RelayActions } from './relay-actions.js';
import type { Relay, Via } from './relay.js';
import type { RouteAction, RouteTable } from './route-table.js';
import { DISCARD, MX, RouteTableBuilder } from './route-table-builder.js';

/** A relay of a tier: its id, or its id and its share (an integer from 1 to 1000, default 1). */
export type TierEntry<Id extends string = string> = Id | { readonly relay: Id; readonly weight?: number };

/**
 * What a route matches (`example.com`, `.example.com`, `[192.0.2.1]`, `ALL`, or several), and where
 * the mail goes: `tiers` of relays, most preferred first; `mx`: the domain's own exchanges;
 * `discard`: nowhere, reported as discarded.
 */
export type RouteDefinition<Id extends string = string> = { readonly match: string | readonly string[] } & (
  | { readonly tiers: readonly (readonly TierEntry<Id>[])[]; readonly action?: never }
  | { readonly action: 'mx' | 'discard'; readonly tiers?: never }
);

/** What `defineRoutes` takes. */
export interface RoutesDefinition<Id extends string = string> {
  readonly relays: Readonly<Record<Id, Via>>;
  readonly routes: readonly RouteDefinition<NoInfer<Id>>[];
  /** For mail that no route matches, where none matches `ALL`. Default `mx`. */
  readonly otherwise?: 'mx' | 'reject';
}

const DEFINITION_CHECKS = { relays: isAnything, routes: isAnything, otherwise: isOneOf('mx', 'reject') };
const ROUTE_CHECKS = { match: isAnything, tiers: isAnything, action: isOneOf('mx', 'discard') };

/**
 * The table of these relays and routes. A relay id that is not among `relays` does not compile. The
 * order of `routes` has no meaning: the most specific match wins.
 *
 * @throws {RouteConfigError} naming everything that is wrong, by path: `routes[0].tiers[1][0].weight`.
 */
export function defineRoutes<const Id extends string>(definition: RoutesDefinition<Id>): RouteTable {
  const problems = new Problems();
  checkOptions(definition, DEFINITION_CHECKS, '', problems);
  const { relays, routes, otherwise = 'mx' } = Object(definition) as Partial<RoutesDefinition>;
  const reader = new RouteReader(defineRelays(relays, problems), problems);
  if (Array.isArray(routes)) routes.forEach((route: unknown, index) => reader.read(route, index));
  else problems.add('routes', `must be an array of routes, got ${show(routes)}`);
  problems.throwIfAny('defineRoutes');
  return reader.table(otherwise);
}

function nameOf(route: number): string {
  return `routes[${String(route)}]`;
}

/** Reads route definitions one by one, noting problems as it goes. */
class RouteReader {
  readonly #relays: ReadonlyMap<string, Relay>;
  readonly #problems: Problems;
  readonly #builder = new RouteTableBuilder(nameOf);
  readonly #relayActions = new RelayActions();

  constructor(relays: ReadonlyMap<string, Relay>, problems: Problems) {
    this.#relays = relays;
    this.#problems = problems;
  }

  read(route: unknown, index: number): void {
    const path = nameOf(index);
    checkOptions(route, ROUTE_CHECKS, path, this.#problems);
    if (typeof route !== 'object' || route === null) return;
    const { match, tiers, action } = route as Record<keyof typeof ROUTE_CHECKS, unknown>;
    this.#addMatches(match, this.#action(tiers, action, path), index);
  }

  table(otherwise: 'mx' | 'reject'): RouteTable {
    return this.#builder.build(this.#relays, otherwise);
  }

  #addMatches(match: unknown, action: RouteAction, index: number): void {
    const list: readonly unknown[] = Array.isArray(match) ? match : [match];
    const path = `${nameOf(index)}.match`;
    if (list.length === 0) this.#problems.add(path, 'must name at least one domain, got an empty array');
    const patterns = list.flatMap((text, at) => {
      const refuse = (message: string): void =>
        this.#problems.add(list === match ? `${path}[${String(at)}]` : path, message);
      if (typeof text === 'string') return this.#builder.add(text, action, index, refuse) ?? [];
      refuse(`must be a domain, .domain, [address] or ALL, got ${show(text)}`);
      return [];
    });
    this.#builder.group(patterns);
  }

  #action(tiers: unknown, action: unknown, path: string): RouteAction {
    if (tiers === undefined) {
      if (action === undefined) this.#problems.add(path, 'needs tiers, or an action ("mx" or "discard")');
      return action === 'mx' ? MX : DISCARD;
    }
    if (action !== undefined) this.#problems.add(path, 'has both tiers and an action: a route has one of them');
    const parts = defineTiers(tiers, this.#relays, `${path}.tiers`, this.#problems);
    return this.#relayActions.of(parts);
  }
}
