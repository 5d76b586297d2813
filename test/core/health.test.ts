import { describe, expect, test } from 'vitest';
import { afterFailure, afterSuccess, isCooled, unknownHealth, type RelayHealth } from '../../src/core/health.js';
import type { Failure } from '../../src/core/failure.js';

const COOLING = { initialMs: 15_000, maxMs: 300_000 };
const REFUSED: Failure = { kind: 'lost', phase: 'connect', code: 'ECONNREFUSED', message: 'refused' };
const BUSY: Failure = { kind: 'reply', phase: 'connect', reply: { code: 421, text: 'busy' } };

/** Fails at `now` in an attempt that began then. */
const fail = (health: RelayHealth, now: number): RelayHealth => afterFailure(health, REFUSED, now, now, COOLING);

describe('cooling', () => {
  test('begins with the first failure, and says since when, why and until when', () => {
    expect(fail(unknownHealth(5), 1000)).toEqual({
      state: 'down',
      since: 1000,
      why: REFUSED,
      until: 16_000,
      penalty: 1,
      cooledAt: 1000,
    });
  });

  test('doubles with each failed probe up to the cap; the outage keeps its beginning', () => {
    let health = unknownHealth(0);
    let now = 0;
    const waits: number[] = [];
    for (let i = 0; i < 8; i++) {
      health = fail(health, now);
      waits.push(health.until! - now);
      now = health.until!;
    }
    expect(waits).toEqual([15_000, 30_000, 60_000, 120_000, 240_000, 300_000, 300_000, 300_000]);
    expect(health.since).toBe(0);
  });

  test('never overflows, however long the outage', () => {
    const health = fail({ ...unknownHealth(0), penalty: 5000 }, 0);
    expect(health.until).toBe(300_000);
  });

  test('shrinks by one step with each success', () => {
    let health = fail(fail(fail(unknownHealth(0), 0), 15_000), 45_000);
    expect(health).toMatchObject({ penalty: 3, until: 105_000 });
    health = afterSuccess(health, 105_000);
    expect(health).toEqual({ state: 'up', since: 105_000, penalty: 2 });
    health = afterSuccess(health, 106_000);
    expect(health).toEqual({ state: 'up', since: 105_000, penalty: 1 });
    // A relay that fails again so soon is cooled for longer than one that was fine for long.
    expect(fail(health, 107_000).until! - 107_000).toBe(30_000);
    health = afterSuccess(health, 108_000);
    expect(fail(health, 109_000).until! - 109_000).toBe(15_000);
  });

  test('a success of a relay that is fine changes nothing, not even the object', () => {
    const up = afterSuccess(unknownHealth(0), 10);
    expect(up).toEqual({ state: 'up', since: 10, penalty: 0 });
    expect(afterSuccess(up, 20)).toBe(up);
  });
});

describe('one outage counts once', () => {
  const down = fail(unknownHealth(0), 1000);

  test('for failures within the cooling', () => {
    expect(afterFailure(down, BUSY, 1500, 2000, COOLING)).toBe(down);
  });

  test('for attempts that were under way when it began, even if they end after the cooling', () => {
    expect(afterFailure(down, BUSY, 900, 60_000, COOLING)).toBe(down);
    expect(afterFailure(down, BUSY, 1000, 60_000, COOLING)).toBe(down);
  });

  test('and the failure of a later attempt counts again', () => {
    expect(afterFailure(down, BUSY, 16_000, 16_500, COOLING)).toMatchObject({
      state: 'down',
      since: 1000,
      why: BUSY,
      until: 46_500,
      penalty: 2,
    });
  });

  test('also that of an attempt made in spite of the cooling which ends after it', () => {
    expect(afterFailure(down, BUSY, 1001, 16_000, COOLING)).toMatchObject({ penalty: 2 });
  });
});

describe('behind the others', () => {
  const down = fail(unknownHealth(0), 0);

  test.each<[string, RelayHealth, number, boolean, boolean]>([
    ['a relay of which nothing is known', unknownHealth(0), 0, false, false],
    ['one that is up', afterSuccess(unknownHealth(0), 0), 0, false, false],
    ['one that is up and being tried', afterSuccess(unknownHealth(0), 0), 0, true, false],
    ['one that cools', down, 14_999, false, true],
    ['one whose time is over: due for a probe', down, 15_000, false, false],
    ['one that is being probed', down, 15_000, true, true],
  ])('%s', (_, health, now, beingTried, cooled) => {
    expect(isCooled(health, now, beingTried)).toBe(cooled);
  });
});
