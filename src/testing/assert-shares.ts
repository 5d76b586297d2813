/**
 * Whether relays share the mail as they should: counts against proportions, with room for what
 * cannot be divided.
 */
import { AssertionError } from 'node:assert';
import type { DeliveryOutcome } from '../core/outcome.js';

/** Messages by relay, or outcomes to count: a message counts for each relay that took recipients of it. */
export type Shares = Readonly<Record<string, number>> | readonly Pick<DeliveryOutcome, 'recipients'>[];

export interface AssertSharesOptions {
  /** How far a relay's share may be off, as a part of all mail: 0.05 is five in a hundred. Default 0. */
  readonly within?: number;
}

/**
 * Checks that the relays share the mail in these proportions: `{ exchange1: 3, exchange2: 1 }`. A
 * relay that is not named must have none. Less than one message of difference is always allowed.
 *
 * @throws {AssertionError} with a table of what each relay has and should have.
 */
export function assertShares(
  shares: Shares,
  expected: Readonly<Record<string, number>>,
  { within = 0 }: AssertSharesOptions = {},
): void {
  const counts = isOutcomes(shares) ? countShares(shares) : new Map(Object.entries(shares));
  const total = sum(counts.values());
  const parts = sum(Object.values(expected));
  const relays = [...new Set([...Object.keys(expected), ...counts.keys()])];
  const rows = relays.map((relay) => {
    const count = counts.get(relay) ?? 0;
    const ideal = parts === 0 ? 0 : (total * (expected[relay] ?? 0)) / parts;
    const off = Math.abs(count - ideal);
    return { relay, count, ideal, ok: off <= within * total || (off < 1 && expected[relay] !== undefined) };
  });
  if (total > 0 && rows.every(({ ok }) => ok)) return;
  const width = Math.max(...relays.map(({ length }) => length));
  const lines = rows.map(({ relay, count, ideal, ok }) => {
    const mark = ok ? '' : '  <-';
    return `  ${relay.padEnd(width)}  ${share(count, total)}, expected ${share(ideal, total)}${mark}`;
  });
  const what = total === 0 ? 'no relay took any mail' : `the relays do not share ${String(total)} messages as expected`;
  throw new AssertionError({
    message: [what, ...lines].join('\n'),
    actual: Object.fromEntries(counts),
    expected,
    operator: 'assertShares',
    stackStartFn: assertShares,
  });
}

/** `Array.isArray` does not narrow readonly arrays. */
function isOutcomes(shares: Shares): shares is readonly Pick<DeliveryOutcome, 'recipients'>[] {
  return Array.isArray(shares);
}

/** How many messages each relay took, by relay id. */
export function countShares(outcomes: readonly Pick<DeliveryOutcome, 'recipients'>[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { recipients } of outcomes) {
    const relays = recipients.flatMap((one) => (one.status === 'delivered' ? [one.relay] : []));
    for (const relay of new Set(relays)) counts.set(relay, (counts.get(relay) ?? 0) + 1);
  }
  return counts;
}

function sum(numbers: Iterable<number>): number {
  return [...numbers].reduce((total, number) => total + number, 0);
}

function share(count: number, total: number): string {
  const percent = total === 0 ? 0 : (100 * count) / total;
  return `${String(Math.round(count * 10) / 10)} (${percent.toFixed(1)} %)`;
}
