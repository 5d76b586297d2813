/**
 * Tells how a plan came about. Asks the table the same patterns in the same order as resolving
 * does, but goes on past the winner: a rule that lost is what people look for.
 */
import { routingDomain } from './address.js';
import { show } from './check-options.js';
import { isIPAddress } from './host.js';
import { ALL, widen } from './pattern.js';
import type { RoutePlan } from './route-plan.js';
import type { RouteTable } from './route-table.js';

/** A pattern that could match. `rule` is the action of its rule; absent if the table has none. */
export interface ConsideredPattern {
  readonly match: string;
  readonly rule?: 'relay' | 'mx' | 'discard';
  readonly won: boolean;
}

/** JSON-safe, and without credentials. */
export interface RouteExplanation {
  /** What was asked for, as given. */
  readonly input: string;
  /** Its canonical domain; absent if it has none. */
  readonly domain?: string;
  /** Every pattern that could match, the most specific first. */
  readonly considered: readonly ConsideredPattern[];
  readonly plan: RoutePlan;
  /** One sentence. */
  readonly why: string;
  /** What DNS is asked when the mail is sent, in words. A `relay` plan without `dns` asks for addresses alone. */
  readonly lookups: readonly string[];
}

/** Explains the plan that `RouteResolver.resolve` made of this input. */
export function explainRoute(table: RouteTable, input: unknown, plan: RoutePlan): RouteExplanation {
  if (typeof input !== 'string') return unexplained(show(input), plan);
  const domain = routingDomain(input);
  if (domain === undefined) return unexplained(input, plan);
  const winner = 'match' in plan ? plan.match : undefined;
  const considered = candidates(domain).map((match): ConsideredPattern => {
    const rule = table.rule(match)?.action;
    return { match, ...(rule && { rule }), won: match === winner };
  });
  return { input, domain, considered, plan, why: reason(domain, winner, plan), lookups: lookupsOf(plan) };
}

/** What no rule was asked for. */
function unexplained(input: string, plan: RoutePlan): RouteExplanation {
  const why = plan.action === 'reject' ? `Rejected: ${plan.reason}.` : '';
  return { input, considered: [], plan, why, lookups: [] };
}

function candidates(domain: string): string[] {
  const patterns: string[] = [];
  for (let match: string | undefined = domain; match !== undefined; match = widen(match)) patterns.push(match);
  return patterns;
}

function reason(domain: string, winner: string | undefined, plan: RoutePlan): string {
  const result = RESULTS[plan.action];
  if (winner === domain) return `${domain} has a route of its own: ${result}.`;
  if (winner === ALL) return `No more specific route matches ${domain}, so ALL does: ${result}.`;
  if (winner?.startsWith('.')) return `${winner} is the longest suffix of ${domain} that has a route: ${result}.`;
  return `No route matches ${domain} and there is none for ALL, so \`otherwise\` decides: ${result}.`;
}

const RESULTS: Readonly<Record<RoutePlan['action'], string>> = {
  relay: 'the mail goes to its relays',
  mx: "the mail goes to the domain's own exchanges",
  discard: 'the mail is discarded',
  reject: 'the mail is rejected',
};

function lookupsOf(plan: RoutePlan): string[] {
  if (plan.action === 'mx') return plan.domain.startsWith('[') ? [] : [mxOf(plan.domain)];
  if (plan.action !== 'relay') return [];
  const relays = plan.tiers.flatMap((tier) => tier.relays).filter(({ host }) => host !== '' && !isIPAddress(host));
  return [...new Set(relays.map(({ host, lookup }) => (lookup === 'mx' ? mxOf(host) : `addresses of ${host}`)))];
}

function mxOf(name: string): string {
  return `MX of ${name}, then addresses of the exchanges, or of ${name} if it has none`;
}
