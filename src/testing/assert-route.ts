/**
 * One line of a test for one line of a table: where the mail of an address goes. When it goes
 * elsewhere, the message says which relays differ and which rule was to blame, so that nobody has to
 * start a debugger to read a table.
 */
import { AssertionError } from 'node:assert';
import { suggestion } from '../core/check-options.js';
import type { RouteExplanation } from '../core/explain-route.js';
import { RouteResolver } from '../core/route-resolver.js';
import type { RouteTable } from '../core/route-table.js';
import { planNotation, readNotation } from './plan-notation.js';

/**
 * Checks where the mail of a domain or an address goes: `exchange1|exchange2 > backup` (a tier's
 * relays in any order, the next tier behind `>`; a weight as `exchange1*3`), `mx`, `discard` or
 * `reject`.
 *
 * @throws {AssertionError} that shows both, what differs, and the rules that were considered.
 */
export function assertRoute(table: RouteTable, domainOrAddress: string, expected: string): void {
  const explanation = new RouteResolver(table).explain(domainOrAddress);
  const actual = planNotation(explanation.plan);
  const wanted = readNotation(expected);
  const got = readNotation(actual);
  if (JSON.stringify(wanted) === JSON.stringify(got)) return;
  const lines = [
    `${explanation.input} is not routed as expected`,
    `  expected: ${expected}`,
    `  actual:   ${actual}`,
    ...differences(wanted, got).map((line) => `  ${line}`),
    ...unknownRelays(table, wanted).map((line) => `  ${line}`),
    `  because:  ${explanation.why}`,
    ...considered(explanation),
  ];
  throw new AssertionError({
    message: lines.join('\n'),
    actual,
    expected,
    operator: 'assertRoute',
    stackStartFn: assertRoute,
  });
}

function differences(wanted: readonly (readonly string[])[], got: readonly (readonly string[])[]): string[] {
  const tiers = Math.max(wanted.length, got.length);
  // A plan without relays has nothing to compare relay by relay.
  if ([wanted, got].some((plan) => plan.length === 1 && WORDS.includes(plan[0]?.[0] ?? ''))) return [];
  return Array.from({ length: tiers }, (_, i) => {
    const [want, have] = [wanted[i] ?? [], got[i] ?? []];
    const missing = want.filter((relay) => !have.includes(relay));
    const extra = have.filter((relay) => !want.includes(relay));
    const parts = [
      ...(missing.length > 0 ? [`without ${missing.join(', ')}`] : []),
      ...(extra.length > 0 ? [`with ${extra.join(', ')}`] : []),
    ];
    return parts.length > 0 ? `tier ${String(i + 1)}:   ${parts.join(', but ')}` : '';
  }).filter((line) => line !== '');
}

const WORDS = ['mx', 'discard', 'reject'];

/** A mistyped relay in the test looks like a wrong table. */
function unknownRelays(table: RouteTable, wanted: readonly (readonly string[])[]): string[] {
  const known = new Set([...table.relays()].map(({ id }) => id));
  return wanted
    .flat()
    .map((relay) => relay.replace(/\*\d+$/, ''))
    .filter((id) => !known.has(id) && !WORDS.includes(id))
    .map((id) => `no relay of the table is called ${JSON.stringify(id)}${suggestion(id, [...known])}`);
}

function considered({ considered: patterns }: RouteExplanation): string[] {
  if (patterns.length === 0) return [];
  const list = patterns.map(({ match, rule, won }) => `${match} (${won ? 'won' : (rule ?? 'no rule')})`);
  return [`  asked:    ${list.join(', ')}`];
}
