import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FinalReplyPatience } from '../../src/nodemailer/final-reply-patience.js';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

function setUp(usualMs: number, finalMs: number): { patience: FinalReplyPatience; set: number[]; begin: () => void } {
  const set: number[] = [];
  const patience = new FinalReplyPatience(usualMs, finalMs);
  return {
    patience,
    set,
    begin: () => {
      patience.begin({ setTimeout: (ms) => set.push(ms) });
    },
  };
}

test('a reply that comes soon leaves the socket alone', () => {
  const { patience, set, begin } = setUp(300_000, 600_000);
  for (let i = 0; i < 3; i++) {
    begin();
    vi.advanceTimersByTime(200_000);
    patience.end();
  }
  vi.advanceTimersByTime(1_000_000);
  expect(set).toEqual([]);
});

test('before the socket would give up, it gets the rest of the longer time, and then its own again', () => {
  const { patience, set, begin } = setUp(300_000, 600_000);
  begin();
  vi.advanceTimersByTime(239_999);
  expect(set).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(set).toEqual([360_000]);
  patience.end();
  expect(set).toEqual([360_000, 300_000]);
});

test('each wait counts from its own beginning', () => {
  const { patience, set, begin } = setUp(300_000, 600_000);
  begin();
  vi.advanceTimersByTime(239_000);
  patience.end();
  begin();
  vi.advanceTimersByTime(239_999);
  expect(set).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(set).toEqual([360_000]);
});

test('a wait after one that was extended is extended too', () => {
  const { patience, set, begin } = setUp(300_000, 600_000);
  begin();
  vi.advanceTimersByTime(250_000);
  patience.end();
  begin();
  vi.advanceTimersByTime(250_000);
  expect(set).toEqual([360_000, 300_000, 360_000]);
});

test('where the relay asks for less, nothing is extended', () => {
  const { set, begin } = setUp(5_000, 5_000);
  begin();
  vi.advanceTimersByTime(1_000_000);
  expect(set).toEqual([]);
});

test('a session that is over leaves no timer', () => {
  const { patience, begin } = setUp(300_000, 600_000);
  begin();
  patience.stop();
  expect(vi.getTimerCount()).toBe(0);
});
