import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import type { RelayTransport } from 'smtp-routes';
import { ScriptedTransport } from 'smtp-routes/testing';
import type { AbortReason } from '../../src/delivery/relay-transport.js';
import { allTo, attempts, results, setUp, turns, USER } from './set-up.js';

const U1 = 'u1@example.com';
const U2 = 'u2@example.com';

describe('attemptTimeoutMs', () => {
  test.each([
    ['stall@greeting', 'ETIMEDOUT@connect'],
    ['stall@ehlo', 'ETIMEDOUT@connect'],
    ['stall@mail', 'ETIMEDOUT@envelope'],
    ['stall@body', 'ETIMEDOUT@envelope'],
  ])('a relay with %s is a relay at fault: cooled, and the next one gets the mail', async (line, failure) => {
    const { deliver, clock, deliverer } = setUp({ scripts: { a: [line], b: ['250'] }, attemptTimeoutMs: 1000 });
    const start = clock.now();
    const outcome = await clock.runUntil(deliver());
    expect(attempts(outcome)).toEqual([`a: ${failure}, next-relay and cool`, 'b: accepted']);
    expect(outcome.attempts[0]).toMatchObject({ startedAt: start, endedAt: start + 1000 });
    expect(deliverer.health()['a']).toMatchObject({ state: 'down', since: start + 1000 });
  });

  test('past the dot the result is possibly delivered', async () => {
    const { deliver, clock } = setUp({ scripts: { a: ['stall@final-reply'] }, attemptTimeoutMs: 1000 });
    expect(results(await clock.runUntil(deliver()))).toEqual(['possibly-delivered: ETIMEDOUT@final-reply']);
  });

  test('counts for each attempt anew', async () => {
    const { deliver, clock } = setUp({
      routes: allTo(['a'], ['b'], ['c']),
      scripts: { a: ['stall@mail'], b: ['stall@mail'], c: ['250'] },
      attemptTimeoutMs: 1000,
    });
    const start = clock.now();
    expect(results(await clock.runUntil(deliver()))).toEqual(['delivered by c']);
    expect(clock.now()).toBe(start + 2000);
  });

  test('waiting for a place at the relay is not in it', async () => {
    const { deliver, clock, transport } = setUp({
      routes: allTo(['a']),
      scripts: { a: ['stall@mail', '250'] },
      limit: 1,
      attemptTimeoutMs: 1000,
    });
    const first = deliver(U1);
    await clock.advance(900);
    const second = deliver(U2);
    await clock.advance(90);
    transport.release();
    expect(results(await first)).toEqual(['delivered by a']);
    expect((await second).attempts[0]?.startedAt).toBe(clock.now());
  });
});

describe('deadlineMs', () => {
  test('what is not settled by then is queued for later, with what the last relay said', async () => {
    const { deliver, clock } = setUp({ scripts: { a: ['431@greeting full'], b: ['stall@mail'] }, deadlineMs: 1000 });
    const outcome = await clock.runUntil(deliver());
    expect(results(outcome)).toEqual(['queue-for-later: expired after ETIMEDOUT@envelope']);
    expect(attempts(outcome)).toEqual([
      'a: 431@connect, next-relay and cool',
      'b: ETIMEDOUT@envelope, next-relay and cool',
    ]);
  });

  test('what was settled before stays', async () => {
    const { deliver, clock } = setUp({
      scripts: { a: [['550@rcpt(u1@example.com)', '450@rcpt(u2@example.com)']], b: ['stall@rcpt'] },
      deadlineMs: 1000,
    });
    expect(results(await clock.runUntil(deliver([U1, 'u3@example.com', U2])))).toEqual([
      'rejected: 550@envelope',
      'delivered by a',
      'queue-for-later: expired after ETIMEDOUT@envelope',
    ]);
  });

  test('past the dot the result is possibly delivered', async () => {
    const { deliver, clock } = setUp({ scripts: { a: ['stall@final-reply'] }, deadlineMs: 1000 });
    expect(results(await clock.runUntil(deliver()))).toEqual(['possibly-delivered: ETIMEDOUT@final-reply']);
  });

  test('waiting for a place at the relay is in it, and harms nobody', async () => {
    const { deliver, clock, transport, deliverer } = setUp({
      routes: allTo(['a']),
      scripts: { a: ['stall@mail', '250'] },
      limit: 1,
      deadlineMs: 1000,
    });
    const first = deliver(U1);
    await clock.advance(600);
    const second = deliver(U2);
    await clock.advance(300);
    transport.release();
    expect(results(await first)).toEqual(['delivered by a']);
    expect(results(await second)).toEqual(['delivered by a']);
    expect(deliverer.health()['a']).toMatchObject({ state: 'up' });
  });

  test('one that passes while a delivery waits ends the waiting', async () => {
    const { deliver, clock, sends } = setUp({
      routes: allTo(['a']),
      scripts: { a: ['stall@mail', 'stall@mail'] },
      limit: 1,
      deadlineMs: 1000,
    });
    const first = deliver(U1);
    await clock.advance(1);
    // When the first has run out of time, the second gets its place, for a millisecond.
    const all = Promise.all([first, deliver(U2), deliver('u3@example.com')]);
    const outcomes = await clock.runUntil(all);
    expect(outcomes.map((outcome) => results(outcome)[0])).toEqual([
      'queue-for-later: expired after ETIMEDOUT@envelope',
      'queue-for-later: expired after ETIMEDOUT@envelope',
      'queue-for-later: expired',
    ]);
    expect(outcomes[2].attempts).toEqual([]);
    expect(sends()).toEqual(['a', 'a']);
  });

  test('a relay that a delivery reached with little time left is not blamed', async () => {
    const { deliver, clock, deliverer } = setUp({
      scripts: { a: ['stall@mail'], b: ['stall@mail'] },
      attemptTimeoutMs: 900,
      deadlineMs: 1000,
    });
    await clock.runUntil(deliver());
    expect(deliverer.health()).toMatchObject({ a: { state: 'down' }, b: { state: 'unknown' } });
  });

  test('that falls together with the limit of the attempt ends both, once', async () => {
    const { deliver, clock, events } = setUp({
      scripts: { a: ['stall@mail'] },
      attemptTimeoutMs: 1000,
      deadlineMs: 1000,
    });
    const outcome = await clock.runUntil(deliver());
    expect(results(outcome)).toEqual(['queue-for-later: expired after ETIMEDOUT@envelope']);
    expect(events.ofType('attempt-ended')).toHaveLength(1);
  });

  test('many deliveries have one sleep among them, and each ends at its own time', async () => {
    const { deliver, clock } = setUp({
      scripts: { a: ['stall@mail', 'stall@mail'] },
      routes: allTo(['a']),
      deadlineMs: 1000,
    });
    const start = clock.now();
    const ended: number[] = [];
    const end = (): void => void ended.push(clock.now() - start);
    const first = deliver(U1).then(end);
    await clock.advance(400);
    const second = deliver(U2).then(end);
    await turns(clock);
    expect(clock.sleeping).toBe(1);
    await clock.runUntil(Promise.all([first, second]));
    expect(ended).toEqual([1000, 1400]);
  });
});

describe('an abort', () => {
  test('before the start: nothing is tried, but what needs no relay is settled', async () => {
    const { deliver, sends } = setUp();
    const outcome = await deliver([USER, 'nobody'], { signal: AbortSignal.abort() });
    expect(results(outcome)).toEqual(['queue-for-later: aborted', 'rejected: unroutable']);
    expect(outcome.attempts).toEqual([]);
    expect(sends()).toEqual([]);
  });

  test.each(['greeting', 'ehlo', 'mail', 'rcpt', 'data', 'body'])(
    'at %s: queued for later, and nobody is cooled',
    async (stage) => {
      const controller = new AbortController();
      const { deliver, clock, deliverer } = setUp({ scripts: { a: [`stall@${stage}`] } });
      const delivering = deliver(USER, { signal: controller.signal });
      await turns(clock);
      expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
      controller.abort();
      const outcome = await delivering;
      expect(results(outcome)).toEqual(['queue-for-later: aborted']);
      expect(attempts(outcome)).toEqual(['a: aborted, stop']);
      expect(outcome.attempts[0]?.phase).toBe(stage === 'greeting' || stage === 'ehlo' ? 'connect' : 'envelope');
      expect(deliverer.health()['a']).toMatchObject({ state: 'unknown' });
    },
  );

  test('keeps what the last relay said', async () => {
    const controller = new AbortController();
    const { deliver, clock } = setUp({ scripts: { a: ['451@data'], b: ['stall@mail'] } });
    const delivering = deliver(USER, { signal: controller.signal });
    await turns(clock);
    controller.abort();
    expect(results(await delivering)).toEqual(['queue-for-later: aborted after 451@envelope']);
  });

  test('after the dot no longer interrupts: the reply counts', async () => {
    const controller = new AbortController();
    const { deliver, clock, transport } = setUp({ scripts: { a: ['stall@final-reply'] } });
    const delivering = deliver(USER, { signal: controller.signal });
    await turns(clock);
    controller.abort();
    await turns(clock);
    transport.release();
    expect(results(await delivering)).toEqual(['delivered by a']);
  });

  test('after the dot, and then a refusal: no further relay is begun', async () => {
    const controller = new AbortController();
    const asked: string[] = [];
    const reply = { code: 451, text: 'try later' };
    const { deliver } = setUp({
      transport: {
        // It has sent the dot when the caller gives up.
        send: ({ relay, envelope }) => {
          asked.push(relay.id);
          controller.abort();
          return Promise.resolve(
            envelope.to.map((recipient) => ({ recipient, failure: { kind: 'reply', phase: 'final-reply', reply } })),
          );
        },
      },
    });
    expect(results(await deliver(USER, { signal: controller.signal }))).toEqual([
      'queue-for-later: aborted after 451@final-reply',
    ]);
    expect(asked).toEqual(['a']);
  });

  test('after the dot, and then the limit: possibly delivered', async () => {
    const controller = new AbortController();
    const { deliver, clock } = setUp({
      transport: neverAfterTheDot(),
      deadlineMs: 1000,
    });
    const delivering = deliver(USER, { signal: controller.signal });
    await clock.advance(500);
    controller.abort();
    expect(results(await clock.runUntil(delivering))).toEqual(['possibly-delivered: ETIMEDOUT@final-reply']);
  });

  test('tells a transport that goes on past the dot of the limit too', async () => {
    const controller = new AbortController();
    const heard: unknown[] = [];
    const failure = { kind: 'lost', phase: 'final-reply', code: 'ETIMEDOUT', message: 'no reply to the dot' } as const;
    const { deliver, clock } = setUp({
      transport: {
        send: ({ envelope, signal }) =>
          new Promise((resolve) => {
            signal.addEventListener('abort', () => {
              const reason = signal.reason as AbortReason;
              heard.push(reason.name);
              reason.limit?.addEventListener('abort', () => {
                heard.push((reason.limit?.reason as Error).name);
                resolve(envelope.to.map((recipient) => ({ recipient, failure })));
              });
            });
          }),
      },
      deadlineMs: 1000,
    });
    const delivering = deliver(USER, { signal: controller.signal });
    await clock.advance(500);
    controller.abort();
    const outcome = await clock.runUntil(delivering);
    expect(heard).toEqual(['AbortError', 'TimeoutError']);
    expect(outcome.recipients[0]).toMatchObject({ status: 'possibly-delivered', failure });
  });

  test('while it waits for a place: gives up its turn, and the next in line gets the place', async () => {
    const controller = new AbortController();
    const { deliver, clock, transport } = setUp({
      routes: allTo(['a']),
      scripts: { a: ['stall@mail', '250'] },
      limit: 1,
    });
    const first = deliver(U1);
    const second = deliver(U2, { signal: controller.signal });
    const third = deliver('u3@example.com');
    await turns(clock);
    controller.abort();
    const given = await second;
    expect(results(given)).toEqual(['queue-for-later: aborted']);
    expect(given.attempts).toEqual([]);
    transport.release();
    expect(results(await first)).toEqual(['delivered by a']);
    expect(results(await third)).toEqual(['delivered by a']);
  });

  test('in the moment when the place becomes free: nothing is sent, and the place passes on', async () => {
    const controller = new AbortController();
    const { deliver, clock, transport, sends } = setUp({
      routes: allTo(['a']),
      scripts: { a: ['stall@mail', '250'] },
      limit: 1,
      onEvent: (event) => {
        // One turn of the microtask queue later the place has been passed on, and not yet been taken.
        if (event.type !== 'attempt-ended' || event.id !== 'first') return;
        queueMicrotask(() => {
          controller.abort();
        });
      },
    });
    const first = deliver(U1, { id: 'first' });
    const second = deliver(U2, { signal: controller.signal });
    const third = deliver('u3@example.com');
    await turns(clock);
    transport.release();
    await first;
    const outcome = await second;
    expect(results(await third)).toEqual(['delivered by a']);
    expect(results(outcome)).toEqual(['queue-for-later: aborted']);
    expect(outcome.attempts).toEqual([]);
    expect(sends()).toEqual(['a', 'a']);
  });

  test('from a listener, before the first byte: nothing is sent', async () => {
    const controller = new AbortController();
    const { deliver, sends } = setUp({
      onEvent: ({ type }) => {
        if (type === 'attempt-started') controller.abort();
      },
    });
    expect(results(await deliver(USER, { signal: controller.signal }))).toEqual(['queue-for-later: aborted']);
    expect(sends()).toEqual([]);
  });

  test('one signal may end many deliveries', async () => {
    const controller = new AbortController();
    const { deliver, clock } = setUp({ routes: allTo(['a']), scripts: { a: 'stall@mail' }, limit: 5 });
    const all = Array.from({ length: 40 }, (_, i) =>
      deliver(`u${String(i)}@example.com`, { signal: controller.signal }),
    );
    await turns(clock);
    controller.abort();
    for (const outcome of await Promise.all(all)) expect(results(outcome)).toEqual(['queue-for-later: aborted']);
  });
});

/** Faithful up to the dot, and then deaf to an abort that came before. */
function neverAfterTheDot(): RelayTransport {
  return { send: () => new Promise(() => undefined), limit: () => 1 };
}

describe('close()', () => {
  test('waits for what is under way, then closes the transport', async () => {
    const { deliver, deliverer, clock, transport } = setUp({ scripts: { a: ['stall@data'] } });
    const delivering = deliver();
    await turns(clock);
    let closed = false;
    const closing = deliverer.close().then(() => (closed = true));
    await turns(clock);
    expect([closed, transport.closed]).toEqual([false, false]);
    transport.release();
    expect(results(await delivering)).toEqual(['delivered by a']);
    await closing;
    expect(transport.closed).toBe(true);
  });

  test('at its limit leaves the rest for later, or as possibly delivered', async () => {
    const { deliver, deliverer, clock, transport } = setUp({
      routes: allTo(['a']),
      scripts: { a: ['stall@data', 'stall@final-reply'] },
      limit: 2,
    });
    const all = [deliver(U1), deliver(U2), deliver('u3@example.com')];
    await turns(clock);
    const start = clock.now();
    await clock.runUntil(deliverer.close({ timeoutMs: 5000 }));
    expect(clock.now()).toBe(start + 5000);
    expect((await Promise.all(all)).map((outcome) => results(outcome)[0])).toEqual([
      'queue-for-later: expired after ETIMEDOUT@envelope',
      'possibly-delivered: ETIMEDOUT@final-reply',
      'queue-for-later: expired',
    ]);
    expect(transport.closed).toBe(true);
  });

  test('does not wait for a transport that never settles', async () => {
    const { deliver, deliverer, clock } = setUp({ transport: neverAfterTheDot() });
    const delivering = deliver();
    await clock.runUntil(deliverer.close({ timeoutMs: 100 }));
    expect(results(await delivering)).toEqual(['possibly-delivered: ETIMEDOUT@final-reply']);
  });

  test('afterwards deliver() rejects; a second close() is no trouble', async () => {
    const { deliver, deliverer } = setUp();
    await deliverer.close();
    await deliverer.close();
    await expect(deliver()).rejects.toThrow('deliver() was called after close()');
  });

  test('is what `await using` calls', async () => {
    const { deliverer, transport } = setUp();
    await deliverer[Symbol.asyncDispose]();
    expect(transport.closed).toBe(true);
  });

  test('a transport that cannot be closed needs no close()', async () => {
    const transport = new ScriptedTransport();
    const { deliverer } = setUp({ transport: { send: (request) => transport.send(request) } });
    await expect(deliverer.close()).resolves.toBeUndefined();
  });
});
