import { describe, expect, test } from 'vitest';
import { bounceProfile, retryDelayMs } from '../../src/core/bounce-profile.js';
import { problemsOf } from './problems-of.js';

describe('a bounce profile', () => {
  test('has the defaults of AsyncOS', () => {
    expect(bounceProfile()).toEqual({
      maxRetries: 100,
      maxQueueTimeMs: 259_200_000,
      initialRetryMs: 60_000,
      maxRetryMs: 3_600_000,
    });
  });

  test('takes what is given, and an undefined parameter for an absent one', () => {
    expect(bounceProfile({ maxRetries: 0, initialRetryMs: 1000, maxRetryMs: undefined } as never)).toEqual({
      maxRetries: 0,
      maxQueueTimeMs: 259_200_000,
      initialRetryMs: 1000,
      maxRetryMs: 3_600_000,
    });
    expect(Object.isFrozen(bounceProfile())).toBe(true);
  });

  test('tells everything that is wrong', () => {
    expect(
      problemsOf(() =>
        bounceProfile({
          maxRetries: -1,
          maxQueueTimeMs: Infinity,
          initialRetryMs: '60',
          maxRetryMs: 0,
          maxRetry: 1,
        } as never),
      ),
    ).toEqual([
      'profile.maxRetries: must be an integer from 0 to 1000000, got -1',
      'profile.maxQueueTimeMs: must be a number of milliseconds from 1 to 2147483647, got Infinity',
      'profile.initialRetryMs: must be a number of milliseconds from 1 to 2147483647, got "60"',
      'profile.maxRetryMs: must be a number of milliseconds from 1 to 2147483647, got 0',
      'profile.maxRetry: unknown option; did you mean "maxRetryMs"?',
    ]);
    expect(problemsOf(() => bounceProfile(5 as never))).toEqual(['profile: must be an object, got 5']);
  });
});

describe('the wait before a retry', () => {
  const seconds = (dice: number, retries: number): number[] =>
    Array.from({ length: retries }, (_, i) => retryDelayMs(bounceProfile(), i + 1, dice) / 1000);

  test('doubles from a minute to an hour', () => {
    expect(seconds(0.5, 10)).toEqual([60, 120, 240, 480, 960, 1920, 3600, 3600, 3600, 3600]);
  });

  test('is spread by a tenth to either side, and never above the longest', () => {
    expect(seconds(0, 8)).toEqual([54, 108, 216, 432, 864, 1728, 3240, 3240]);
    expect(seconds(1 - Number.EPSILON, 8)).toEqual([66, 132, 264, 528, 1056, 2112, 3600, 3600]);
  });

  test('stays the longest for ever', () => {
    expect(retryDelayMs(bounceProfile(), 1_000_000, 0.5)).toBe(3_600_000);
  });

  test('an initial wait above the longest is the longest', () => {
    expect(retryDelayMs(bounceProfile({ initialRetryMs: 5000, maxRetryMs: 1000 }), 1, 0.5)).toBe(1000);
  });
});
