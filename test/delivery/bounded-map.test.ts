import { expect, test } from 'vitest';
import { BoundedMap } from '../../src/delivery/bounded-map.js';

const keys = (map: { entries(): Iterable<[string, unknown]> }): string[] => [...map.entries()].map(([key]) => key);

test('the oldest go when it is full', () => {
  const map = new BoundedMap<number>(2);
  for (const key of ['a', 'b', 'c']) map.set(key, 1);
  expect(keys(map)).toEqual(['b', 'c']);
  map.set('b', 2);
  expect([map.get('b'), map.get('a'), map.size]).toEqual([2, undefined, 2]);
});

test('what is needed stays, and goes when it no longer is', () => {
  const needed = new Set(['a', 'b']);
  const map = new BoundedMap<string>(2, (value) => !needed.has(value));
  for (const key of ['a', 'b', 'c', 'd']) map.set(key, key);
  expect(keys(map)).toEqual(expect.arrayContaining(['a', 'b']));
  needed.clear();
  for (const key of ['e', 'f', 'g', 'h']) map.set(key, key);
  expect(map.size).toBe(2);
});

test('much that is needed at once is kept, and costs little', () => {
  let needed = true;
  const map = new BoundedMap<number>(10, () => !needed);
  for (let i = 0; i < 100_000; i++) map.set(String(i), i);
  expect(map.size).toBe(100_000);
  needed = false;
  for (let i = 0; i < 100_000; i++) map.set(`again ${String(i)}`, i);
  expect(map.size).toBe(10);
});
