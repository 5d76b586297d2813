import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { ManualClock } from '../../src/testing/manual-clock.js';

test('sleepers wake in the order they are due, each at its own time', async () => {
  const clock = new ManualClock(1000);
  const woken: string[] = [];
  const sleeper = async (name: string, ms: number): Promise<void> => {
    await clock.sleep(ms);
    woken.push(`${name} at ${String(clock.now())}`);
  };
  void sleeper('late', 30);
  void sleeper('early', 10);
  void sleeper('as early', 10);
  await clock.advance(29);
  expect(woken).toEqual(['early at 1010', 'as early at 1010']);
  expect([clock.now(), clock.sleeping]).toEqual([1029, 1]);
  await clock.advance(1);
  expect(woken.at(-1)).toBe('late at 1030');
});

test('a sleeper that sleeps again within the same advance wakes again', async () => {
  const clock = new ManualClock(0);
  const at: number[] = [];
  void (async () => {
    for (let i = 0; i < 4; i++) {
      await clock.sleep(10);
      for (let hop = 0; hop < 50; hop++) await Promise.resolve();
      at.push(clock.now());
    }
  })();
  await clock.advance(35);
  expect(at).toEqual([10, 20, 30]);
  expect(clock.now()).toBe(35);
});

test('an abort wakes a sleeper with its reason and leaves nothing behind', async () => {
  const clock = new ManualClock();
  const controller = new AbortController();
  const asleep = clock.sleep(10, controller.signal);
  const reason = new Error('enough');
  controller.abort(reason);
  await expect(asleep).rejects.toBe(reason);
  await expect(clock.sleep(10, controller.signal)).rejects.toBe(reason);
  expect([clock.sleeping, getEventListeners(controller.signal, 'abort').length]).toEqual([0, 0]);
});

test('a sleeper that woke leaves no listener on its signal', async () => {
  const clock = new ManualClock();
  const { signal } = new AbortController();
  const asleep = clock.sleep(10, signal);
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  await clock.advance(10);
  await asleep;
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
});

test('no time to sleep is no sleep', async () => {
  const clock = new ManualClock();
  await clock.sleep(0);
  await clock.sleep(-1);
  expect(clock.sleeping).toBe(0);
});

test('advanceToNext goes to the first that is due; runUntil until a promise settles', async () => {
  const clock = new ManualClock(0);
  void clock.sleep(7);
  expect(await clock.advanceToNext()).toBe(7);
  expect(await clock.advanceToNext()).toBe(0);
  const days = (async () => {
    for (let day = 0; day < 3; day++) await clock.sleep(86_400_000);
    return clock.now();
  })();
  expect(await clock.runUntil(days)).toBe(7 + 3 * 86_400_000);
  await expect(clock.runUntil(Promise.reject(new Error('no')))).rejects.toThrow('no');
});
