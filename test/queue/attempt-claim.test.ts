/**
 * One attempt for one claim: whatever is odd about a message, what was delivered is recorded.
 */
import { expect, test } from 'vitest';
import { Deliverer, defineRoutes } from 'smtp-routes';
import type { QueueEntry } from 'smtp-routes/queue';
import { ManualClock, ScriptedTransport, type Script } from 'smtp-routes/testing';
import { attemptClaim, type AttemptServices } from '../../src/queue/attempt-claim.js';
import type { QueuedMessage } from '../../src/queue/queue-entry.js';
import { Profiles } from '../../src/queue/queue-options.js';
import type { Claim } from '../../src/queue/queue-store.js';

function services(script: Script, changes: Partial<AttemptServices> = {}): AttemptServices {
  const deliverer = new Deliverer({
    routes: defineRoutes({
      relays: { main: { host: '192.0.2.1' } },
      routes: [{ match: 'ALL', tiers: [['main']] }],
    }),
    transport: new ScriptedTransport({ main: script }),
    clock: new ManualClock(),
    random: () => 0.5,
  });
  return {
    deliverer,
    profiles: new Profiles({ profiles: { 'b.test': { maxRetries: 0 } } }),
    onPossiblyDelivered: 'queue',
    delayWarnings: false,
    bounces: 'event',
    reportingMta: undefined,
    maxMessageBytes: 1_000,
    ...changes,
  };
}

function claimOf(message: Partial<QueuedMessage>, ...entries: readonly Partial<QueueEntry>[]): Claim {
  return {
    message: { v: 1, id: 'm', from: 'app@sender.test', arrivalAt: 0, size: 1, ...message },
    body: 'x',
    entries: entries.map((entry, key) => {
      const { domain = 'a.test' } = entry;
      const recipients = [{ recipient: `user@${domain}`, attempts: 0, history: [] }];
      return { key, token: 1, entry: { v: 1, domain, recipients, retries: 0, ...entry } };
    }),
  };
}

const { signal } = new AbortController();

test.for(['{"newer":1}', '{"maxRetries":-1}', '"damaged"', '7', 'null', '[]'])(
  'a stored profile %s that is none here: the mail goes by the profile of its domain or of the queue',
  async (stored) => {
    const claim = claimOf({ profile: JSON.parse(stored) as object }, {}, { domain: 'b.test' });
    const { settlement, events } = await attemptClaim(services('450@rcpt later'), claim, signal);
    expect(settlement.results.map(({ next }) => next.then)).toEqual(['again', 'done']);
    expect(events.filter(({ type }) => type === 'trouble')).toMatchObject([{ during: 'reading the profile of m' }]);
  },
);

test('a message has its own profile, else its domain has, else the queue; undefined counts as absent', () => {
  const profiles = new Profiles({ profile: { maxRetries: 3 }, profiles: { 'B.test': { initialRetryMs: 5 } } });
  const none = { maxRetries: undefined } as object;
  expect(profiles.of('b.test', { ...none, maxRetryMs: 7 })).toEqual({
    maxRetries: 3,
    initialRetryMs: 5,
    maxRetryMs: 7,
    maxQueueTimeMs: 72 * 3_600_000,
  });
});

test('one way fails, another has delivered: that is recorded, and the rest waits', async () => {
  const claim = claimOf({}, {}, { domain: 'b.test', via: { domain: 'c.test' } });
  const ready = services('250');
  const deliverer = new Proxy(ready.deliverer, {
    get: (target, key) =>
      key === 'deliver'
        ? (...[mail, options]: Parameters<Deliverer['deliver']>) =>
            options?.via ? Promise.reject(new Error('closed')) : target.deliver(mail, options)
        : (Reflect.get(target, key) as unknown),
  });
  const profiles = new Profiles({});
  const { settlement } = await attemptClaim({ ...ready, profiles, deliverer }, claim, signal);
  expect(settlement.results.map(({ gone, next }) => [gone, next.then])).toEqual([
    [['user@a.test'], 'done'],
    [[], 'again'],
  ]);
  const alone = claimOf({}, { via: { domain: 'c.test' } });
  await expect(attemptClaim({ ...ready, profiles, deliverer }, alone, signal)).rejects.toThrow('closed');
});

test('a delay warning that cannot be built is trouble, and the mail waits as before', async () => {
  const recipients = [{ recipient: 'user@a.test', attempts: 1, history: [] }];
  const bounces = (): Promise<never> => Promise.reject(new Error('no such template'));
  const { settlement, events } = await attemptClaim(
    services('450@rcpt later', { delayWarnings: true, bounces }),
    claimOf({}, { recipients, retries: 1 }),
    signal,
  );
  expect(settlement.mail).toEqual([]);
  expect(settlement.results.map(({ next }) => next.then)).toEqual(['again']);
  expect(events.filter(({ type }) => type === 'trouble')).toEqual([
    {
      type: 'trouble',
      at: settlement.now,
      during: 'building the delay warning of m',
      error: new Error('no such template'),
    },
  ]);
});

test('a bounce of ours that is longer than the queue takes is none', async () => {
  const refused = (maxMessageBytes: number): ReturnType<typeof attemptClaim> =>
    attemptClaim(services('550@rcpt no', { bounces: 'message', maxMessageBytes }), claimOf({}, {}), signal);
  const { settlement, events } = await refused(500);
  expect(settlement).toMatchObject({ results: [{ next: { then: 'done' } }], mail: [] });
  expect(events.find(({ type }) => type === 'bounced')).toMatchObject({
    notSent: 'could-not-be-built',
    reason: 'the message is larger than maxMessageBytes (500 bytes)',
  });
  expect((await refused(5_000)).settlement.mail).toHaveLength(1);
});
