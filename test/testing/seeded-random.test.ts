import { expect, test } from 'vitest';
import { seededRandom } from '../../src/testing/seeded-random.js';

test('the same seed gives the same dice, another seed others', () => {
  const throws = (seed: number): number[] => Array.from({ length: 5 }, seededRandom(seed));
  expect(throws(1)).toEqual(throws(1));
  expect(throws(1)).not.toEqual(throws(2));
});

test('the dice stay in [0, 1) and spread evenly', () => {
  const random = seededRandom(42);
  const buckets = Array.from({ length: 10 }, () => 0);
  for (let i = 0; i < 10_000; i++) {
    const value = random();
    expect(value >= 0 && value < 1).toBe(true);
    const bucket = Math.floor(value * 10);
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
  }
  for (const count of buckets) expect(Math.abs(count - 1000)).toBeLessThan(120);
});
