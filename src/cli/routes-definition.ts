/**
 * A table as the JSON definition that `defineRoutes` takes. Credentials and other settings are not in
 * it: it is made of AsyncOS text or a Postfix table, which have none.
 */
import type { RouteTable } from '../core/route-table.js';

export interface JsonDefinition {
  readonly relays: Readonly<Record<string, { readonly host: string; readonly port: number; readonly lookup?: 'mx' }>>;
  readonly routes: readonly object[];
  readonly otherwise: 'mx' | 'reject';
}

/** Rules with the same relays become one with several matches. */
export function definitionOf(table: RouteTable): JsonDefinition {
  const relays = [...table.relays()].map(({ id, host, port, lookup }) => [
    id,
    { host, port, ...(lookup === 'mx' && { lookup }) },
  ]);
  const groups = new Map<unknown, { matches: string[]; what: object }>();
  for (const { matches, action, tiers } of table.rules()) {
    const key = action === 'relay' ? tiers : action;
    const what = action === 'relay' ? { tiers: tiers.map((tier) => tier.relays.map(({ id }) => id)) } : { action };
    const known = groups.get(key);
    if (known) known.matches.push(...matches);
    else groups.set(key, { matches: [...matches], what });
  }
  const routes = [...groups.values()].map(({ matches, what }) => ({
    match: matches.length === 1 ? matches[0] : matches,
    ...what,
  }));
  return { relays: Object.fromEntries(relays) as JsonDefinition['relays'], routes, otherwise: table.otherwise };
}
