/**
 * What a picture of a table shows, before it is drawn: groups of matches that share their relays, the
 * tiers of each in order. Grouping is what keeps a table of 500 routes legible.
 */
import { ALL } from '../core/pattern.js';
import type { Relay } from '../core/relay.js';
import type { PlannedRelay } from '../core/route-plan.js';
import type { RouteTable, Rule } from '../core/route-table.js';

export interface GraphTier {
  readonly priority: number;
  readonly relays: readonly PlannedRelay[];
}

/** Matches with one way to deliver. `matches` holds the first few of `count`. */
export interface GraphGroup {
  readonly matches: readonly string[];
  readonly count: number;
  readonly action: Rule['action'] | 'reject';
  readonly tiers: readonly GraphTier[];
}

export interface GraphModel {
  readonly routes: number;
  readonly relays: number;
  readonly groups: readonly GraphGroup[];
  /** Groups, and the matches in them, that the picture has no room for. */
  readonly left: { readonly groups: number; readonly matches: number };
}

const MATCHES_KEPT = 5;
/** With more groups than this, each shows fewer of its matches. */
const ROOMY_GROUPS = 12;
const MATCHES_IN_A_CROWD = 3;
/** A picture of more than a few screens is not read: the rest is counted. */
const GROUPS_SHOWN = 40;

export function graphModel(table: RouteTable): GraphModel {
  const groups = new Map<unknown, { matches: string[]; count: number; rule: Rule }>();
  for (const rule of table.rules()) {
    const key = rule.action === 'relay' ? rule.tiers : rule.action;
    const group = groups.get(key) ?? { matches: [], count: 0, rule };
    for (const match of rule.matches)
      if (group.matches.length < MATCHES_KEPT || match === ALL) group.matches.push(match);
    group.count += rule.matches.length;
    groups.set(key, group);
  }
  const room = groups.size > ROOMY_GROUPS ? MATCHES_IN_A_CROWD : MATCHES_KEPT;
  const all = [...groups.values()].map(({ matches, count, rule: { action, tiers } }): GraphGroup => {
    // What catches all is never among those left out.
    const shown = matches.filter((match, i) => i < room || match === ALL);
    return { matches: shown, count, action, tiers };
  });
  // Stable, so that groups of one size keep the order of the file; what catches all comes last.
  const sorted = all.length > GROUPS_SHOWN ? [...all].sort((a, b) => b.count - a.count) : all;
  const isLast = ({ matches }: GraphGroup): boolean => matches.includes(ALL);
  const last = all.filter(isLast);
  const shown = [...sorted.filter((group) => !isLast(group)).slice(0, GROUPS_SHOWN), ...last];
  const hidden = all.filter((group) => !shown.includes(group));
  return {
    routes: table.size,
    relays: [...table.relays()].length,
    groups: last.length > 0 ? shown : [...shown, otherwise(table)],
    left: { groups: hidden.length, matches: hidden.reduce((sum, { count }) => sum + count, 0) },
  };
}

function otherwise(table: RouteTable): GraphGroup {
  return { matches: ['all other domains'], count: 1, action: table.otherwise, tiers: [] };
}

/** What a group without relays does, in words. */
export function actionText(action: GraphGroup['action']): string {
  switch (action) {
    case 'mx':
      return "to the domain's own MX";
    case 'discard':
      return 'discarded';
    case 'reject':
      return 'rejected';
    case 'relay':
      return '';
    default:
      return action satisfies never;
  }
}

/** `192.0.2.1:25`, `[2001:db8::7]:587`, empty for a transport of the app. */
export function placeText({ host, port }: Pick<Relay, 'host' | 'port'>): string {
  if (host === '') return 'a transport of the app';
  return `${host.includes(':') ? `[${host}]` : host}:${String(port)}`;
}

/** A relay's share of its tier: `3 of 4`, or nothing where all have the same. */
export function shareText(relay: PlannedRelay, tier: GraphTier): string {
  const total = tier.relays.reduce((sum, { weight }) => sum + weight, 0);
  return tier.relays.every(({ weight }) => weight === relay.weight)
    ? ''
    : `${String(relay.weight)} of ${String(total)}`;
}

/** `first`, `then`: what a tier's place means. */
export function tierText(index: number, tiers: number): string {
  return tiers === 1 ? 'to' : index === 0 ? 'first' : 'then';
}
