import { getEventListeners } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { runTypeScript } from '../docs/run-typescript.js';
import { systemClock, systemRandom } from '../../src/delivery/system-clock.js';

describe('the clock of the process', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  test('tells the time, and throws dice below 1', () => {
    vi.setSystemTime(1_234_567);
    expect(systemClock.now()).toBe(1_234_567);
    expect(systemRandom()).toBeLessThan(1);
  });

  test('sleeps, and leaves no listener behind', async () => {
    const { signal } = new AbortController();
    let awake = false;
    const sleep = systemClock.sleep(1000, signal).then(() => (awake = true));
    await vi.advanceTimersByTimeAsync(999);
    expect(awake).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await sleep;
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('rejects with the reason of an abort, and leaves no timer behind', async () => {
    const controller = new AbortController();
    const sleep = systemClock.sleep(1000, controller.signal);
    const reason = new Error('enough');
    controller.abort(reason);
    await expect(sleep).rejects.toBe(reason);
    await expect(systemClock.sleep(1000, controller.signal)).rejects.toBe(reason);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('does not wake at once from a sleep longer than a timer can be', async () => {
    let awake = false;
    void systemClock.sleep(Infinity).then(() => (awake = true));
    await vi.advanceTimersByTimeAsync(86_400_000);
    expect(awake).toBe(false);
  });
});

test('a script that waits for its retries is kept alive, and then ends by itself', async () => {
  const { stdout } = await runTypeScript(fileURLToPath(new URL('a-script-that-waits.ts', import.meta.url)));
  expect(stdout).toBe('delivered after 3 attempts\n');
});
