/**
 * What a table says that nobody is likely to mean. Each is legal, so each is a warning: the appliance
 * takes such a table, and so do we.
 */
import { ALL, widen } from '../core/pattern.js';
import type { Tier } from '../core/route-plan.js';
import type { RouteTable, Rule } from '../core/route-table.js';
import { priorityWarnings } from './priority-warnings.js';
import { RuleLines } from './rule-lines.js';
import { counted } from './report-findings.js';
import type { Finding, RoutesFile } from './routes-file.js';

/** A warning about a rule, by its match, or about a relay, by its path. Neither: about the file. */
interface Warning {
  readonly match?: string;
  readonly relay?: string;
  readonly message: string;
}

/** All warnings, in the order of their lines; those about the file as a whole come last. */
export function findWarnings(file: RoutesFile): Finding[] {
  const { table, text, form } = file;
  const warnings: Warning[] = [
    ...sameHostTwice(table),
    ...(form === 'json' ? unusedRelays(table) : []),
    ...withoutEffect(table),
    ...singleHosts(table),
  ];
  const lines = new RuleLines(file);
  lines.find(warnings.flatMap(({ match, relay }) => match ?? (relay === undefined ? [] : relay)));
  const found = warnings.map(({ match, relay, message }): Finding => {
    const line = lines.lineOf(match ?? relay ?? '');
    return { ...(line !== undefined && { line }), message };
  });
  const sorted = [...found, ...(form === 'asyncos' ? priorityWarnings(text) : [])].sort(byLine);
  return [...sorted, ...withoutAll(table)];
}

function byLine(a: Finding, b: Finding): number {
  return (a.line ?? Infinity) - (b.line ?? Infinity) || 0;
}

/** Two relays at one place: health, connections and turns are kept apart for what is one machine. */
function* sameHostTwice(table: RouteTable): Generator<Warning> {
  const first = new Map<string, string>();
  for (const { id, host, port } of table.relays()) {
    if (host === '') continue;
    const place = `${host.toLowerCase().replace(/\.$/, '')} ${String(port)}`;
    const twin = first.get(place);
    if (twin === undefined) first.set(place, id);
    else
      yield {
        relay: id,
        message: `relays ${twin} and ${id} are one host, ${host} port ${String(port)}: failing over from one to the other helps nobody`,
      };
  }
}

function* unusedRelays(table: RouteTable): Generator<Warning> {
  const used = new Set<string>();
  const seen = new Set<readonly Tier[]>();
  for (const { tiers } of table.rules()) {
    if (seen.has(tiers)) continue;
    seen.add(tiers);
    for (const { relays } of tiers) for (const { id } of relays) used.add(id);
  }
  for (const { id } of table.relays())
    if (!used.has(id)) yield { relay: id, message: `relay ${id} is never used: name it in a route, or remove it` };
}

/** A rule that says what the next less specific one says anyway. */
function* withoutEffect(table: RouteTable): Generator<Warning> {
  for (const rule of table.rules()) {
    for (const match of rule.matches) {
      const next = widen(match);
      if (next === undefined) continue;
      const wider = table.find(next);
      const same = wider
        ? wider.action === rule.action && wider.tiers === rule.tiers
        : rule.action === 'mx' && table.otherwise === 'mx';
      if (!same) continue;
      yield {
        match,
        message: `the route for ${match} changes nothing: ${wider ? `${wider.match} already says the same` : 'without a route for ALL its mail goes to its MX anyway'}`,
      };
    }
  }
  if (table.rule(ALL) && table.otherwise === 'reject')
    yield { relay: 'otherwise', message: 'otherwise is never reached, since a route matches ALL' };
}

/** Routes with one relay, by relay: a long table has thousands of them for one reason. */
function* singleHosts(table: RouteTable): Generator<Warning> {
  const byRelay = new Map<string, { first: string; count: number; mx: boolean }>();
  for (const rule of table.rules()) {
    const only = onlyRelay(rule);
    if (!only) continue;
    const known = byRelay.get(only.id);
    if (known) known.count += rule.matches.length;
    else byRelay.set(only.id, { first: rule.name, count: rule.matches.length, mx: only.lookup === 'mx' });
  }
  for (const [id, { first, count, mx }] of byRelay) {
    const more = count === 1 ? '' : ` (and for ${counted(count - 1, 'more match').replace('matchs', 'matches')})`;
    const unless = mx ? ', unless its MX has several' : '';
    yield {
      match: first,
      message: `${id} is the only host for ${first}${more}${unless}: when it is down, the mail waits`,
    };
  }
}

function onlyRelay({ tiers }: Rule): Tier['relays'][number] | undefined {
  const [tier, ...more] = tiers;
  return tier?.relays.length === 1 && more.length === 0 ? tier.relays[0] : undefined;
}

function withoutAll(table: RouteTable): Finding[] {
  if (table.rule(ALL) || table.otherwise === 'reject') return [];
  return [{ message: 'no route for ALL: mail for all other domains goes to their own MX' }];
}
