import { expect, test } from 'vitest';
import { Batches } from '../../../src/queue/engine/batches.js';

const GONE = new Error('the server is gone');
const WRONG = new Error('this one cannot be stored');

function batches(commit: (steps: readonly number[]) => Promise<number[]>): {
  run: Batches<number, number>;
  tried: number[][];
} {
  const tried: number[][] = [];
  const run = new Batches<number, number>({
    commit: (steps) => {
      tried.push([...steps]);
      return commit(steps);
    },
    isOfAll: (error) => error === GONE,
  });
  return { run, tried };
}

test('what waits meanwhile shares the next commit', async () => {
  const { run, tried } = batches((steps) => Promise.resolve(steps.map((step) => step * 10)));
  const first = [1, 2].map((step) => run.run(step));
  await Promise.all(first);
  expect(await Promise.all([3, 4, 5].map((step) => run.run(step)))).toEqual([30, 40, 50]);
  expect(tried).toEqual([
    [1, 2],
    [3, 4, 5],
  ]);
});

test('one that cannot be stored does not take the others with it', async () => {
  const { run, tried } = batches((steps) => (steps.includes(2) ? Promise.reject(WRONG) : Promise.resolve([...steps])));
  const ends = await Promise.allSettled([1, 2, 3].map((step) => run.run(step)));
  expect(ends.map((end): unknown => (end.status === 'fulfilled' ? end.value : end.reason))).toEqual([1, WRONG, 3]);
  expect(tried).toEqual([[1, 2, 3], [1], [2], [3]]);
});

test('a server that is gone is waited for once, not once for each', async () => {
  const { run, tried } = batches(() => Promise.reject(GONE));
  const ends = await Promise.allSettled([1, 2, 3].map((step) => run.run(step)));
  expect(ends.map((end): unknown => end.status === 'rejected' && end.reason)).toEqual([GONE, GONE, GONE]);
  expect(tried).toEqual([[1, 2, 3]]);
});
