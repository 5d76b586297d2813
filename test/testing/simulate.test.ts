import { expect, test } from 'vitest';
import type { RouteConfigError } from 'smtp-routes';
import { defineRoutes, parseSmtpRoutes } from 'smtp-routes';
import { assertShares, ManualClock, seededRandom, simulate } from 'smtp-routes/testing';

const table = defineRoutes({
  relays: {
    exchange1: { host: '192.0.2.1' },
    exchange2: { host: '192.0.2.2' },
    exchange3: { host: '192.0.2.3' },
    backup: { host: '192.0.2.9' },
  },
  routes: [
    { match: 'example.com', tiers: [['exchange1', 'exchange2', 'exchange3'], ['backup']] },
    { match: 'weights.test', tiers: [[{ relay: 'exchange1', weight: 3 }, 'exchange2']] },
    { match: 'one.test', tiers: [['exchange1']] },
    { match: 'spam.test', action: 'discard' },
  ],
});

const taken = ({ relays }: { relays: Readonly<Record<string, { delivered: number }>> }): Record<string, number> =>
  Object.fromEntries(Object.entries(relays).map(([id, { delivered }]) => [id, delivered]));

test('who gets what: turns, weights, domains in turn', async () => {
  const run = await simulate(table, { messages: 999, to: ['example.com', 'x@weights.test', 'spam.test'] });
  expect(run.statuses).toEqual({
    delivered: 666,
    'queue-for-later': 0,
    rejected: 0,
    'possibly-delivered': 0,
    discarded: 333,
  });
  assertShares(await simulate(table, { messages: 300, to: 'weights.test' }).then(({ outcomes }) => outcomes), {
    exchange1: 3,
    exchange2: 1,
  });
});

test('a dead relay is tried for each probe and not for each message, and its neighbours share evenly', async () => {
  const run = await simulate(table, { messages: 1000, down: ['exchange1'], random: seededRandom(7) });
  assertShares(taken(run), { exchange1: 0, exchange2: 1, exchange3: 1, backup: 0 }, { within: 0.01 });
  expect(run.relays['exchange1']).toMatchObject({ delivered: 0 });
  expect(run.relays['exchange1']!.attempts).toBeGreaterThan(2);
  expect(run.relays['exchange1']!.attempts).toBeLessThan(20);
  expect(run.queued).toEqual([]);
});

test('the whole first tier down: the backup gets all', async () => {
  const run = await simulate(table, { messages: 50, down: ['exchange1', 'exchange2', 'exchange3'] });
  expect(taken(run)).toEqual({ exchange1: 0, exchange2: 0, exchange3: 0, backup: 50 });
});

test('what is queued, and when it is tried again until the profile ends', async () => {
  const run = await simulate(table, {
    to: 'one.test',
    messages: 3,
    script: { exchange1: '450@rcpt greylisted' },
    profile: { maxRetries: 4 },
    random: () => 0.5,
  });
  expect(run.statuses['queue-for-later']).toBe(3);
  expect(run.queued).toHaveLength(1);
  const [entry] = run.queued;
  expect(entry).toMatchObject({ recipient: 'user@one.test', messages: 3, end: { status: 'rejected' } });
  const waits = entry!.retriesAt.map((at) => (at - entry!.queuedAt) / 60_000);
  expect(waits).toEqual([1, 3, 7, 15]);
  expect(entry!.end).toMatchObject({ failure: { kind: 'expired', enhanced: '5.4.7' } });
});

test('a relay that comes back takes what was queued', async () => {
  const clock = new ManualClock();
  const backAt = clock.now() + 5 * 60_000;
  const run = await simulate(table, {
    to: 'one.test',
    clock,
    script: { exchange1: ({ stage }) => (stage === 'connect' && clock.now() < backAt ? 'refused' : undefined) },
    random: () => 0.5,
  });
  expect(run.queued[0]).toMatchObject({ end: { status: 'delivered', relay: 'exchange1' } });
  expect(run.queued[0]!.retriesAt).toHaveLength(3);
});

test('several lines for every session of a relay', async () => {
  const always = ['421@greeting(1) busy', '450@rcpt(never@example.com)'];
  const run = await simulate(table, { messages: 2, to: 'one.test', script: { exchange1: { always } } });
  expect(run.statuses['queue-for-later']).toBe(2);
});

test('domains that DNS answers go to an exchange of that name, and hosts of text keep theirs', async () => {
  const text = parseSmtpRoutes('example.com exchange1.example.net/pri=0, exchange2.example.net:2525/pri=10');
  const elsewhere = await simulate(text, { to: 'elsewhere.test' });
  expect(elsewhere.relays['MX of elsewhere.test']).toMatchObject({ delivered: 1 });
  const named = await simulate(text, { messages: 4, down: ['exchange1.example.net'] });
  expect(taken(named)).toMatchObject({ 'exchange1.example.net': 0 });
  expect(named.statuses.delivered).toBe(4);
});

test('the same each run, and JSON', async () => {
  const options = { messages: 200, down: ['exchange2'] };
  const [one, two] = await Promise.all([simulate(table, options), simulate(table, options)]);
  expect(one).toEqual(two);
  expect(JSON.parse(JSON.stringify(one))).toEqual(one);
});

test('wrong options are refused together', async () => {
  const problems = await simulate(table, {
    messages: 0,
    down: ['exchang1'],
    // @ts-expect-error No such option.
    reply: 1,
  }).catch((error: unknown) => (error as RouteConfigError).problems);
  expect(problems).toEqual([
    { path: 'messages', message: 'must be an integer from 1 to 1000000, got 0' },
    { path: 'reply', message: 'unknown option' },
  ]);
  await expect(simulate(table, { down: ['exchang1'] })).rejects.toThrow(
    'down: no relay is called "exchang1"; did you mean "exchange1"?',
  );
  await expect(simulate(table, { down: ['backup'], script: { backup: '250' } })).rejects.toThrow('one or the other');
  await expect(simulate(table, { to: 'one.test', script: { exchange1: ['250', '250'] } })).rejects.toThrow(
    'relay exchange1: never used: 250',
  );
});
