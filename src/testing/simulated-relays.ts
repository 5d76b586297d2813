/**
 * The relays of a simulation: what is asked of them is checked by name, because a mistyped relay
 * would look like one that works.
 */
import {
  checkOptions,
  isAnything,
  isFunction,
  isIntegerBetween,
  isObject,
  show,
  suggestion,
} from '../core/check-options.js';
import type { Check } from '../core/check-options.js';
import { Problems } from '../core/config-error.js';
import type { RouteTable } from '../core/route-table.js';
import { isRouteTable } from '../delivery/deliverer-options.js';
import type { DnsLookup } from '../delivery/dns-lookup.js';
import type { Script } from './scripted-sessions.js';
import type { SimulateOptions } from './simulation.js';

/** As many outcomes as fit into memory with ease. */
const MAX_MESSAGES = 1_000_000;

const CHECKS: Readonly<Record<keyof SimulateOptions, Check>> = {
  messages: isIntegerBetween(1, MAX_MESSAGES),
  to: isAnything,
  down: isAnything,
  script: isObject,
  random: isFunction,
  intervalMs: isIntegerBetween(0, 86_400_000),
  clock: isObject,
  dns: isObject,
  profile: isObject,
};

/** @throws {RouteConfigError} with everything that is wrong */
export function checkSimulation(routes: RouteTable, options: SimulateOptions): void {
  const problems = new Problems();
  const wrong = isRouteTable(routes);
  if (wrong !== undefined) problems.add('table', wrong);
  checkOptions(options, CHECKS, '', problems);
  checkTexts(options.to ?? [], 'to', problems);
  checkTexts(options.down ?? [], 'down', problems);
  problems.throwIfAny('simulate');
  const known = new Set([...routes.relays()].flatMap(({ id, host }) => [id, host]));
  for (const name of [...(options.down ?? []), ...Object.keys(options.script ?? {})]) {
    // What DNS will name is not known beforehand.
    if (known.has(name) || name.startsWith(IMAGINARY) || options.dns) continue;
    problems.add(
      options.down?.includes(name) ? 'down' : 'script',
      `no relay is called ${show(name)}${suggestion(name, [...known])}`,
    );
  }
  for (const name of options.down ?? [])
    if (options.script && name in options.script)
      problems.add('down', `relay ${show(name)} has a script too: it is one or the other`);
  problems.throwIfAny('simulate');
}

function checkTexts(value: unknown, path: string, problems: Problems): void {
  const list = Array.isArray(value) ? value : [value];
  if (path === 'to' && Array.isArray(value) && value.length === 0) return;
  if (list.some((one) => typeof one !== 'string' || one === '')) problems.add(path, 'must be texts that are not empty');
}

const IMAGINARY = 'MX of ';

/** Scripts by relay id. A host named where an id belongs means every relay there. */
export function scriptsOf(routes: RouteTable, { down = [], script = {} }: SimulateOptions): Record<string, Script> {
  const wanted: Record<string, Script> = { ...script };
  for (const name of down) wanted[name] = 'refused';
  const scripts: Record<string, Script> = { ...wanted };
  for (const { id, host } of routes.relays()) {
    const found = wanted[id] ?? wanted[host];
    if (found !== undefined) scripts[id] = found;
  }
  return scripts;
}

/** One exchange for each name, at an address of documentation (RFC 5737). */
export const imaginaryDns: DnsLookup = {
  exchanges: (domain) => ({ tiers: [[{ name: IMAGINARY + domain, addresses: ['192.0.2.1'] }]] }),
};
