/**
 * A table as text for a snapshot: everything that routing depends on, nothing that it does not (the
 * order of the list), and no credentials. A changed line in a review is a changed route.
 */
import { ALL } from '../core/pattern.js';
import type { Relay } from '../core/relay.js';
import type { RouteTable, Rule } from '../core/route-table.js';
import { tiersNotation } from './plan-notation.js';

/** The relays and routes of a table, sorted, a line for each match: the same text for every order of the same routes. */
export function describeRoutes(table: RouteTable): string {
  const relays = [...table.relays()].map((relay): [string, string] => [relay.id, placeOf(relay)]);
  const routes = [...table.rules()].flatMap((rule) =>
    rule.matches.map((match): [string, string] => [match, actionOf(rule)]),
  );
  routes.sort(([a], [b]) => compare(sortKey(a), sortKey(b)));
  const otherwise: [string, string][] = table.rule(ALL) ? [] : [['otherwise', table.otherwise]];
  return [
    ...section(
      'relays',
      relays.sort(([a], [b]) => compare(a, b)),
    ),
    ...section('routes', [...routes, ...otherwise]),
  ].join('\n');
}

function section(title: string, rows: readonly [string, string][]): string[] {
  if (rows.length === 0) return [];
  const width = Math.max(...rows.map(([left]) => left.length));
  return [`${title}:`, ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)];
}

function placeOf({ host, port, lookup }: Relay): string {
  if (host === '') return 'a transport of the app';
  const place = host.includes(':') ? `[${host}]:${String(port)}` : `${host}:${String(port)}`;
  return lookup === 'mx' ? `${place} (by MX)` : place;
}

function actionOf({ action, tiers }: Rule): string {
  return action === 'relay' ? tiersNotation(tiers) : action;
}

/** A domain before what lies below it, `ALL` at the end. */
function sortKey(match: string): string {
  if (match === ALL) return '\uffff';
  return match.startsWith('.') ? `${match.slice(1)} .` : match;
}

/** By code units, so that no machine's language changes a snapshot. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
