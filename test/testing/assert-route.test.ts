import { AssertionError } from 'node:assert';
import { expect, test } from 'vitest';
import { defineRoutes } from 'smtp-routes';
import { assertRoute, describeRoutes } from 'smtp-routes/testing';

const relays = {
  exchange1: { host: '192.0.2.1', port: 25, auth: { user: 'app', pass: 'secret' } },
  exchange2: { host: 'exchange2.example.net', lookup: 'mx' },
  backup: { host: '2001:db8::7' },
} as const;

const table = defineRoutes({
  relays,
  routes: [
    { match: 'ALL', tiers: [['backup']] },
    { match: ['.example.com', 'example.com'], tiers: [['exchange1', 'exchange2'], ['backup']] },
    { match: 'heavy.test', tiers: [[{ relay: 'exchange1', weight: 3 }, 'exchange2']] },
    { match: 'dns.test', action: 'mx' },
    { match: 'spam.test', action: 'discard' },
  ],
});

test('the order within a tier means nothing, the order of tiers does', () => {
  assertRoute(table, 'user@sub.example.com', 'exchange1|exchange2 > backup');
  assertRoute(table, 'user@sub.example.com', ' exchange2 | exchange1>backup ');
  assertRoute(table, 'heavy.test', 'exchange2|exchange1*3');
  assertRoute(table, 'heavy.test', 'exchange2*1|exchange1*3');
  assertRoute(table, 'dns.test', 'mx');
  assertRoute(table, 'a@spam.test', 'discard');
  assertRoute(table, 'no address@', 'reject');
  expect(() => assertRoute(table, 'example.com', 'backup > exchange1|exchange2')).toThrow(AssertionError);
  expect(() => assertRoute(table, 'heavy.test', 'exchange1|exchange2')).toThrow('with exchange1*3');
});

test('a difference says which relays, which tier, which rule, and whether the test is mistyped', () => {
  const failure = catching(() => assertRoute(table, 'user@sub.example.com', 'exchange1|exchang2 > backup'));
  expect(failure.message).toBe(
    [
      'user@sub.example.com is not routed as expected',
      '  expected: exchange1|exchang2 > backup',
      '  actual:   exchange1|exchange2 > backup',
      '  tier 1:   without exchang2, but with exchange2',
      '  no relay of the table is called "exchang2"; did you mean "exchange2"?',
      '  because:  .example.com is the longest suffix of sub.example.com that has a route: the mail goes to its relays.',
      '  asked:    sub.example.com (no rule), .example.com (won), .com (no rule), ALL (relay)',
    ].join('\n'),
  );
  expect(failure).toMatchObject({ actual: 'exchange1|exchange2 > backup', expected: 'exchange1|exchang2 > backup' });
});

function catching(work: () => void): Error {
  try {
    work();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

const SNAPSHOT = `relays:
  backup     [2001:db8::7]:587
  exchange1  192.0.2.1:25
  exchange2  exchange2.example.net:587 (by MX)
routes:
  dns.test      mx
  example.com   exchange1|exchange2 > backup
  .example.com  exchange1|exchange2 > backup
  heavy.test    exchange1*3|exchange2
  spam.test     discard
  ALL           backup`;

test('a table as text holds what routing depends on, in an order of its own, without credentials', () => {
  expect(describeRoutes(table)).toBe(SNAPSHOT);
  expect(describeRoutes(defineRoutes({ relays: {}, routes: [], otherwise: 'reject' }))).toBe(
    'routes:\n  otherwise  reject',
  );
});
