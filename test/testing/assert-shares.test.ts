import { expect, test } from 'vitest';
import { assertShares } from 'smtp-routes/testing';

const delivered = (relay: string) => ({
  recipients: [{ recipient: 'u@example.com', status: 'delivered' as const, relay }],
});

test('proportions, from counts or from outcomes', () => {
  assertShares({ a: 75, b: 25 }, { a: 3, b: 1 });
  assertShares(['a', 'b', 'a', 'a'].map(delivered), { a: 3, b: 1 });
  assertShares({ a: 10, b: 0 }, { a: 1, b: 0 });
});

test('what cannot be divided is allowed, a whole message is not', () => {
  assertShares({ a: 2, b: 1 }, { a: 1, b: 1 });
  expect(() => assertShares({ a: 2, b: 0 }, { a: 1, b: 1 })).toThrow('a  2 (100.0 %), expected 1 (50.0 %)  <-');
  expect(() => assertShares({ a: 52, b: 48 }, { a: 1, b: 1 })).toThrow();
  assertShares({ a: 52, b: 48 }, { a: 1, b: 1 }, { within: 0.02 });
});

test('a relay that is not named must have none, and no mail at all is no success', () => {
  expect(() => assertShares({ a: 100, other: 1 }, { a: 1 }, { within: 0.001 })).toThrow(
    'other  1 (1.0 %), expected 0 (0.0 %)  <-',
  );
  expect(() => assertShares([], { a: 1 })).toThrow('no relay took any mail');
});

test('one message may be taken by two relays', () => {
  const split = { recipients: ['a', 'b', 'b'].flatMap((relay) => delivered(relay).recipients) };
  assertShares([split], { a: 1, b: 1 });
});
