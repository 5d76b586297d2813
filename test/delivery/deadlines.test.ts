import { describe, expect, test } from 'vitest';
import { ManualClock } from 'smtp-routes/testing';
import { Deadlines } from '../../src/delivery/deadlines.js';

function setUp(): {
  clock: ManualClock;
  passed: string[];
  at: (ms: number, name: string, more?: () => void) => () => void;
} {
  const clock = new ManualClock(0);
  const deadlines = new Deadlines(clock);
  const passed: string[] = [];
  return {
    clock,
    passed,
    at: (at, name, more) => {
      const onPassed = (): void => {
        passed.push(`${name} at ${String(clock.now())}`);
        more?.();
      };
      const deadline = { at, onPassed };
      deadlines.add(deadline);
      return () => {
        deadlines.remove(deadline);
      };
    },
  };
}

describe('deadlines', () => {
  test('pass each at its time, in whatever order they were set, with one sleep among them', async () => {
    const { clock, passed, at } = setUp();
    at(300, 'c');
    at(100, 'a');
    at(200, 'b');
    expect(clock.sleeping).toBe(1);
    await clock.advance(1000);
    expect(passed).toEqual(['a at 100', 'b at 200', 'c at 300']);
    expect(clock.sleeping).toBe(0);
  });

  test('at the same time pass together, in the order set', async () => {
    const { clock, passed, at } = setUp();
    at(100, 'a');
    at(100, 'b');
    await clock.advance(100);
    expect(passed).toEqual(['a at 100', 'b at 100']);
  });

  test('that are taken back do not pass, and the last one leaves no sleep', async () => {
    const { clock, passed, at } = setUp();
    const takeBack = at(100, 'a');
    const other = at(200, 'b');
    takeBack();
    takeBack();
    await clock.advance(150);
    other();
    expect(clock.sleeping).toBe(0);
    await clock.advance(1000);
    expect(passed).toEqual([]);
  });

  test('that have passed already pass in the next turn', async () => {
    const { clock, passed, at } = setUp();
    await clock.advance(50);
    at(10, 'a');
    expect(passed).toEqual([]);
    await clock.advance(0);
    expect(passed).toEqual(['a at 50']);
  });

  test('one that passes may take back another, due now or later, and leaves no sleep behind', async () => {
    const { clock, passed, at } = setUp();
    const others: (() => void)[] = [];
    const later = at(500, 'later');
    at(100, 'a', () => {
      for (const takeBack of others) takeBack();
    });
    others.push(later, at(100, 'b'));
    await clock.advance(100);
    expect(passed).toEqual(['a at 100']);
    expect(clock.sleeping).toBe(0);
  });

  test('one that passes may set another, sooner than those that wait', async () => {
    const { clock, passed, at } = setUp();
    at(500, 'later');
    at(100, 'a', () => at(200, 'b'));
    await clock.advance(1000);
    expect(passed).toEqual(['a at 100', 'b at 200', 'later at 500']);
    expect(clock.sleeping).toBe(0);
  });

  test('the same thing may be set again and again', async () => {
    const { clock, passed, at } = setUp();
    for (let i = 1; i <= 3; i++) {
      at(clock.now() + 10, String(i));
      await clock.advance(10);
    }
    expect(passed).toEqual(['1 at 10', '2 at 20', '3 at 30']);
  });
});
