/**
 * Peers in turn, A B C A B C …, so that all of them meet the same disturbances; ratios are taken
 * within a round, and judged by their median.
 */

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** What each peer measured, round by round, after some to warm up that do not count: the engine is still compiling. */
export async function inTurn<T>(peers: readonly (() => Promise<T>)[], rounds: number, warmUp: number): Promise<T[][]> {
  const results = peers.map((): T[] => []);
  for (let round = -warmUp; round < rounds; round++) {
    for (const [i, peer] of peers.entries()) {
      const result = await peer();
      if (round >= 0) results[i]?.push(result);
    }
  }
  return results;
}

/** @throws {RangeError} for no values */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [min, max] = [sorted[0], sorted.at(-1)];
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  if (min === undefined || max === undefined || low === undefined || high === undefined) {
    throw new RangeError('no values');
  }
  return { median: (low + high) / 2, min, max };
}

/** The ratios of two peers' values, round by round. */
export function ratios(values: readonly number[], to: readonly number[]): Spread {
  return spreadOf(values.map((value, i) => value / (to[i] ?? NaN)));
}
