import { describe, expect, test } from 'vitest';
import type { DeliveryEvent, OnEvent } from 'smtp-routes';
import { allTo, setUp, told, turns, USER, type SetUp } from './set-up.js';

describe('events', () => {
  test('a relay that goes down and comes back is told of', async () => {
    const { deliver, events, clock } = setUp({ routes: allTo(['a']), scripts: { a: ['refused', 'refused', '250'] } });
    const start = clock.now();
    await deliver();
    await clock.advance(15_000);
    await deliver();
    await clock.advance(30_000);
    await deliver();
    expect(events.ofType('relay-cooled').map(({ at, until }) => [at - start, until - start])).toEqual([
      [0, 15_000],
      [15_000, 45_000],
    ]);
    expect(events.ofType('relay-recovered')).toEqual([
      { type: 'relay-recovered', at: start + 45_000, relay: 'a', downSince: start },
    ]);
  });

  test('each carries the time and the id of its delivery', async () => {
    const { deliver, events, clock } = setUp({ scripts: { a: ['451@data'], b: ['250'] } });
    await deliver(USER, { id: 'mail-7' });
    for (const event of events.events) expect(event.at).toBe(clock.now());
    expect(events.events.flatMap((event) => ('id' in event ? [event.id] : []))).toEqual(Array(6).fill('mail-7'));
    expect(events.ofType('settled')[0]).toMatchObject({ from: 'sender@example.net', outcome: { id: 'mail-7' } });
  });

  test('the end of an attempt says over which connection, who was accepted, and the answer', async () => {
    const { deliver, events } = setUp({ scripts: { a: [['550@rcpt(u1@example.com)', '250 2.6.0 queued as 77']] } });
    await deliver(['u1@example.com', 'u2@example.com']);
    expect(events.ofType('attempt-ended')[0]).toMatchObject({
      connection: 1,
      delivered: ['u2@example.com'],
      response: '2.6.0 queued as 77',
      attempt: { address: '192.0.2.1', refused: [{ recipient: 'u1@example.com' }] },
    });
  });

  test('a success hides no failure of the relays before, one event for each', async () => {
    const { deliver, events } = setUp({
      routes: allTo(['a'], ['b'], ['c']),
      scripts: { a: ['refused'], b: ['450@rcpt'], c: ['250'] },
    });
    await deliver();
    expect(
      events.ofType('masked-failure').map(({ relay, deliveredBy, verdict }) => [relay, deliveredBy, verdict.cool]),
    ).toEqual([
      ['a', 'c', true],
      ['b', 'c', false],
    ]);
  });

  test('a failure that nothing hid is not called hidden', async () => {
    const { deliver, events } = setUp({ scripts: { a: ['refused'], b: ['550@rcpt'] } });
    await deliver();
    expect(events.ofType('masked-failure')).toEqual([]);
  });
});

const SCENARIOS: readonly [string, SetUp, readonly string[]][] = [
  ['fail-over', { scripts: { a: ['431@greeting full'], b: ['250'] } }, [USER]],
  [
    'mixed recipients',
    { scripts: { a: [['550@rcpt(x@example.com)', '450@rcpt(y@example.com)']], b: ['250'] } },
    ['x@example.com', 'y@example.com', USER],
  ],
  ['too many recipients', { scripts: { a: ['452@rcpt(2+) 4.5.3', '250'] } }, ['x@example.com', USER]],
  ['a lost final reply', { scripts: { a: ['close@final-reply'] } }, [USER]],
  ['all relays down', { scripts: { a: ['refused'], b: ['reset@ehlo'] } }, [USER]],
  ['a limit that passes', { scripts: { a: ['stall@mail'], b: ['250'] }, attemptTimeoutMs: 100 }, [USER]],
];

const LISTENERS: readonly [string, OnEvent][] = [
  [
    'throws',
    () => {
      throw new Error('bug');
    },
  ],
  [
    'throws what cannot be read',
    () => {
      throw Object.create(null) as Error;
    },
  ],
  ['rejects', () => Promise.reject(new Error('bug'))],
  // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
  ['rejects with what cannot be read', () => Promise.reject(Object.create(null))],
  ['never settles', () => new Promise(() => undefined)],
  [
    'answers a trap',
    () => ({
      get then() {
        throw new Error('trap');
      },
    }),
  ],
];

describe.each(SCENARIOS)('%s', (_, scenario, to) => {
  test.each(LISTENERS)('goes the same way with a listener that %s', async (__, misbehave) => {
    const run = async (onEvent: OnEvent) => {
      const { deliver, transport, clock } = setUp({ ...scenario, onEvent });
      const outcome = await clock.runUntil(deliver(to, { id: 'same' }));
      await turns(clock);
      return [outcome, transport.trace];
    };
    const quiet = await run(() => undefined);
    const heard: DeliveryEvent[] = [];
    const loud = await run((event) => {
      heard.push(event);
      return misbehave(event);
    });
    expect(heard.length).toBeGreaterThan(3);
    expect(loud).toEqual(quiet);
  });

  test('goes the same way without a listener', async () => {
    const run = async (more: object) => {
      const { deliver, clock } = setUp({ ...scenario, ...more });
      return clock.runUntil(deliver(to, { id: 'same' }));
    };
    expect(await run({ onEvent: undefined })).toEqual(await run({}));
  });
});

test('events come in the order in which things happen', async () => {
  const { deliver, events } = setUp({ scripts: { a: ['452@rcpt(2+) 4.5.3', '250'] } });
  await deliver(['x@example.com', USER]);
  expect(told(events)).toEqual([
    'attempt-started a',
    'connection-opened a',
    'connection-closed a',
    'attempt-ended a',
    'attempt-started a',
    'connection-opened a',
    'connection-closed a',
    'attempt-ended a',
    'settled',
  ]);
});
