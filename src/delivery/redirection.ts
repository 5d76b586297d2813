/**
 * Mail sent another way than its domain's own, as when an operator redirects what waits.
 */
import type { RoutePlan } from '../core/route-plan.js';
import type { RouteTable } from '../core/route-table.js';

/** Through one relay of the table, by id; or as mail for another domain goes. */
export type Redirection = { readonly relay: string } | { readonly domain: string };

export interface Resolving {
  resolve(domain: string): RoutePlan;
}

/** @throws {RouteConfigError} for a relay that the table does not know */
export function redirectedResolver(via: Redirection | undefined, table: RouteTable, resolver: Resolving): Resolving {
  if (!via) return resolver;
  // One plan for all, so that their recipients share a transaction.
  const plan = 'relay' in via ? planFor(table, via.relay) : resolver.resolve(via.domain);
  return { resolve: () => plan };
}

function planFor(table: RouteTable, relay: string): RoutePlan {
  const { id, host, port, lookup } = table.relay(relay);
  return {
    action: 'relay',
    match: `via ${id}`,
    tiers: [{ priority: 0, relays: [{ id, host, port, weight: 1, lookup }] }],
  };
}
