import { describe, expect, test } from 'vitest';
import type { RelayTransport, SendRequest } from 'smtp-routes';
import { allTo, attempts, results, setUp, USER } from './set-up.js';

type Send = (request: SendRequest) => unknown;

/** A transport that does this at relay `a`, and accepts everything elsewhere. */
const misbehaving = (send: Send): RelayTransport => ({
  send: ((request: SendRequest) =>
    request.relay.id === 'a'
      ? send(request)
      : Promise.resolve(request.envelope.to.map((recipient) => ({ recipient })))) as RelayTransport['send'],
});

const U1 = 'u1@example.com';
const U2 = 'u2@example.com';
const OK = { code: 250, text: 'ok' };
const NOT_KNOWN = 'possibly-delivered: EPROTOCOL@final-reply';
const circular = { kind: 'lost', phase: 'connect', code: 'EX', message: 'x', self: {} };
circular.self = circular;

describe('reports', () => {
  test.each<[string, Send, string, string]>([
    ['none', () => Promise.resolve(), NOT_KNOWN, NOT_KNOWN],
    ['an empty list', () => Promise.resolve([]), NOT_KNOWN, NOT_KNOWN],
    [
      'not even a promise',
      () => [
        { recipient: U1, reply: OK },
        { recipient: U2, reply: OK },
      ],
      'delivered by a',
      'delivered by a',
    ],
    ['a missing one', () => Promise.resolve([{ recipient: U2, reply: OK }]), NOT_KNOWN, 'delivered by a'],
    [
      'in another order',
      () =>
        Promise.resolve([
          { recipient: U2, reply: { code: 550, text: 'no' } },
          { recipient: U1, reply: OK },
        ]),
      'delivered by a',
      'rejected: 550@final-reply',
    ],
    [
      'a double one',
      () =>
        Promise.resolve([
          { recipient: U1, reply: OK },
          { recipient: U1, reply: OK },
          { recipient: U2, reply: OK },
        ]),
      NOT_KNOWN,
      'delivered by a',
    ],
    [
      'one for a stranger',
      () =>
        Promise.resolve([
          { recipient: 'x@example.com', reply: OK },
          { recipient: U2, reply: OK },
        ]),
      NOT_KNOWN,
      'delivered by a',
    ],
    ['no objects', () => Promise.resolve([null, 'u2']), NOT_KNOWN, NOT_KNOWN],
    [
      'a refusal as success',
      () =>
        Promise.resolve([
          { recipient: U1, reply: { code: 550, text: 'no' } },
          { recipient: U2, reply: { code: 451, text: 'no' } },
        ]),
      'rejected: 550@final-reply',
      'delivered by b',
    ],
    [
      'a 3xx as success',
      () =>
        Promise.resolve([
          { recipient: U1, reply: { code: 354, text: 'go on' } },
          { recipient: U2, reply: OK },
        ]),
      'possibly-delivered: 354@final-reply',
      'delivered by a',
    ],
    [
      'a reply without a code',
      () =>
        Promise.resolve([
          { recipient: U1, reply: 'ok' },
          { recipient: U2, reply: { code: '250' } },
        ]),
      NOT_KNOWN,
      NOT_KNOWN,
    ],
    [
      'null for a reply',
      () =>
        Promise.resolve([
          { recipient: U1, reply: null },
          { recipient: U2, reply: { code: NaN } },
        ]),
      NOT_KNOWN,
      NOT_KNOWN,
    ],
    [
      'a reply beside a failure',
      () =>
        Promise.resolve([
          { recipient: U1, reply: OK, failure: { kind: 'lost', phase: 'envelope', code: 'EX', message: '' } },
          { recipient: U2, reply: OK },
        ]),
      'delivered by b',
      'delivered by a',
    ],
    [
      'failures that are none',
      () =>
        Promise.resolve([
          { recipient: U1, failure: 'busy' },
          { recipient: U2, failure: { kind: 'lost', phase: 'later' } },
        ]),
      NOT_KNOWN,
      NOT_KNOWN,
    ],
    [
      'failures without texts',
      () =>
        Promise.resolve([
          { recipient: U1, failure: { kind: 'reply', phase: 'envelope', reply: { code: 550 } } },
          { recipient: U2, failure: { kind: 'lost', phase: 'connect' } },
        ]),
      'rejected: 550@envelope',
      'delivered by b',
    ],
    [
      'failures that no JSON can hold',
      () =>
        Promise.resolve([
          { recipient: U1, failure: circular },
          { recipient: U2, failure: circular },
        ]),
      'delivered by b',
      'delivered by b',
    ],
    [
      'traps',
      () =>
        Promise.resolve([
          {
            recipient: U1,
            get reply() {
              throw new Error('trap');
            },
          },
          { recipient: U2, reply: OK },
        ]),
      'possibly-delivered: EUNKNOWN@final-reply',
      'possibly-delivered: EUNKNOWN@final-reply',
    ],
  ])('%s', async (_, send, first, second) => {
    const { deliver } = setUp({ transport: misbehaving(send) });
    expect(results(await deliver([U1, U2]))).toEqual([first, second]);
  });

  test('a transport that sorts the list it was given mixes up nobody', async () => {
    const { deliver } = setUp({
      transport: misbehaving(({ envelope }) => {
        const to = envelope.to as string[];
        to.sort().reverse();
        return Promise.resolve(
          to.map((recipient) => ({ recipient, reply: { code: recipient === U1 ? 550 : 250, text: '' } })),
        );
      }),
    });
    expect(results(await deliver([U1, U2]))).toEqual(['rejected: 550@final-reply', 'delivered by a']);
  });

  test('what a server said is made safe, whoever reports it', async () => {
    const reply = { code: 250, enhanced: '2.0.0\r\nX', text: 'ok\r\n\u0000\u001b[31m', extra: () => 1 };
    const { deliver } = setUp({ transport: misbehaving(() => [{ recipient: USER, reply }]) });
    expect((await deliver()).recipients[0]).toEqual({
      recipient: USER,
      status: 'delivered',
      relay: 'a',
      reply: { code: 250, text: 'ok?\n??[31m' },
    });
  });
});

describe('a send that rejects', () => {
  const all = (code: string, responseCode: number, more: object = {}) =>
    Object.assign(new Error('all recipients were rejected'), { code, responseCode, ...more });

  test.each<[string, unknown, string]>([
    ['with no error at all', undefined, 'possibly-delivered: EUNKNOWN@final-reply'],
    ['with what cannot be read', Object.create(null), 'possibly-delivered: EUNKNOWN@final-reply'],
    ['with a defect', new TypeError('x is not a function'), 'possibly-delivered: EUNKNOWN@final-reply'],
    ['with a refused connection', Object.assign(new Error('no'), { code: 'ECONNREFUSED' }), 'delivered by b'],
    ['with a 4xx to MAIL', all('EENVELOPE', 450), 'delivered by b'],
    ['with a 5xx to MAIL', all('EENVELOPE', 550), 'rejected: 550@envelope'],
    ['with a wrong password', all('EAUTH', 535), 'delivered by b'],
    [
      'with a loss somewhere',
      Object.assign(new Error('closed'), { code: 'ECONNECTION', command: 'CONN' }),
      'possibly-delivered: ECONNECTION@final-reply',
    ],
  ])('%s', async (_, error, result) => {
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
    const { deliver } = setUp({ transport: misbehaving(() => Promise.reject(error)) });
    expect(results(await deliver())).toEqual([result]);
  });

  test('synchronously', async () => {
    const { deliver } = setUp({
      transport: misbehaving(() => {
        throw new Error('bug');
      }),
    });
    expect(results(await deliver())).toEqual(['possibly-delivered: EUNKNOWN@final-reply']);
  });

  test('with an error of each recipient: the code of all is that of one, and is ignored', async () => {
    const own = (recipient: string, responseCode: number) => ({
      recipient,
      code: 'EENVELOPE',
      responseCode,
      response: `${String(responseCode)} no`,
    });
    const error = all('EENVELOPE', 550, { rejectedErrors: [own(U1, 451), own(U2, 550)] });
    const { deliver } = setUp({ transport: misbehaving(() => Promise.reject(error)) });
    expect(results(await deliver([U1, U2]))).toEqual(['delivered by b', 'rejected: 550@envelope']);
  });
});

describe('a send that never ends', () => {
  test('nobody knows how far it got: possibly delivered at the limit of the attempt', async () => {
    const { deliver, clock, deliverer } = setUp({
      transport: misbehaving(() => new Promise(() => undefined)),
      attemptTimeoutMs: 1000,
    });
    const outcome = await clock.runUntil(deliver());
    expect(results(outcome)).toEqual(['possibly-delivered: ETIMEDOUT@final-reply']);
    expect(outcome.attempts[0]).toMatchObject({ phase: 'final-reply', endedAt: clock.now() });
    expect(deliverer.health()['a']).toMatchObject({ state: 'down' });
  });

  test('what it answers afterwards changes nothing', async () => {
    let answer: (reports: unknown) => void = () => undefined;
    const { deliver, clock, events } = setUp({
      transport: misbehaving(() => new Promise((resolve) => (answer = resolve))),
      attemptTimeoutMs: 1000,
    });
    const outcome = await clock.runUntil(deliver());
    const before = JSON.stringify([outcome, events.events]);
    answer([{ recipient: USER, reply: OK }]);
    await clock.advance(0);
    expect(JSON.stringify([outcome, events.events])).toBe(before);
  });

  test('a caller who gives up has to wait for the limit, since a copy may be there', async () => {
    const controller = new AbortController();
    const { deliver, clock } = setUp({
      transport: misbehaving(() => new Promise(() => undefined)),
      attemptTimeoutMs: 1000,
    });
    const delivering = deliver(USER, { signal: controller.signal });
    await clock.advance(500);
    controller.abort();
    await clock.advance(499);
    expect(clock.sleeping).toBe(1);
    expect(results(await clock.runUntil(delivering))).toEqual(['possibly-delivered: ETIMEDOUT@final-reply']);
  });

  test('its place at the relay is free again', async () => {
    let sends = 0;
    const { deliver, clock } = setUp({
      routes: allTo(['a']),
      transport: {
        limit: () => 1,
        send: ({ envelope }) =>
          sends++ === 0
            ? new Promise(() => undefined)
            : Promise.resolve(envelope.to.map((recipient) => ({ recipient }))),
      },
      attemptTimeoutMs: 1000,
    });
    const both = Promise.all([deliver(U1), deliver(U2)]);
    expect((await clock.runUntil(both)).map((outcome) => results(outcome)[0])).toEqual([
      'possibly-delivered: ETIMEDOUT@final-reply',
      'delivered by a',
    ]);
  });
});

describe('a limit', () => {
  test.each<[string, () => unknown]>([
    ['of zero', () => 0],
    ['below zero', () => -5],
    ['that is no number', () => NaN],
    ['that is a text', () => 'many'],
    [
      'that throws',
      () => {
        throw new Error('bug');
      },
    ],
  ])('%s lets one in at a time', async (_, limit) => {
    const { transport, deliver } = setUp();
    const inTurn = setUp({
      routes: allTo(['a']),
      transport: { send: (request) => transport.send(request), limit: limit as () => number },
    });
    const outcomes = await Promise.all([inTurn.deliver(U1), inTurn.deliver(U2), deliver(USER)]);
    expect(outcomes.map((outcome) => results(outcome)[0])).toEqual([
      'delivered by a',
      'delivered by a',
      'delivered by a',
    ]);
  });
});

describe('a message that cannot be read', () => {
  test('is left for later, and no further relay is asked for it', async () => {
    const aborted = { kind: 'aborted', message: 'the message could not be read' } as const;
    const { deliver } = setUp({ transport: misbehaving(() => [{ recipient: USER, failure: aborted }]) });
    const outcome = await deliver();
    expect(results(outcome)).toEqual(['queue-for-later: aborted']);
    expect(attempts(outcome)).toEqual(['a: aborted, stop']);
  });
});
