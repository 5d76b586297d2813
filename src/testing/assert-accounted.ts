/**
 * The first promise of a delivery: each recipient of the envelope stands in the outcome exactly
 * once, in the order of the envelope, whatever happened.
 */
import { recipientKey } from '../core/address.js';
import type { DeliveryOutcome } from '../core/outcome.js';

/**
 * Checks that `outcome` settles each of `to` once and nobody else, in order and as first spelled.
 * Doubles in `to` are one recipient.
 *
 * @throws {Error} that lists who is missing, foreign, doubled or out of order.
 */
export function assertAccounted(to: readonly string[], outcome: Pick<DeliveryOutcome, 'recipients'>): void {
  const expected = firstSpellings(to);
  const actual = outcome.recipients.map(({ recipient }) => recipient);
  const problems = [
    ...expected.filter((one) => !actual.includes(one)).map((one) => `missing: ${one}`),
    ...[...new Set(actual)].filter((one) => !expected.includes(one)).map((one) => `not in the envelope: ${one}`),
    ...[...new Set(actual.filter((one, i) => actual.indexOf(one) < i))].map((one) => `settled more than once: ${one}`),
  ];
  if (problems.length === 0 && actual.some((one, i) => one !== expected[i]))
    problems.push(`out of order: expected ${expected.join(', ')}; got ${actual.join(', ')}`);
  if (problems.length > 0)
    throw new Error(`the outcome does not account for each recipient once\n  ${problems.join('\n  ')}`);
}

/** The first spelling of each recipient. */
function firstSpellings(to: readonly string[]): readonly string[] {
  const seen = new Map<string, string>();
  for (const address of to) {
    const key = recipientKey(address);
    if (!seen.has(key)) seen.set(key, address);
  }
  return [...seen.values()];
}
