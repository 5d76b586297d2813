import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import { deliverWithRetries, RouteConfigError, type RetryOptions } from 'smtp-routes';
import { allTo, attempts, MESSAGE, results, SENDER, setUp, turns, USER, type Bench, type SetUp } from './set-up.js';

const U1 = 'u1@example.com';
const U2 = 'u2@example.com';

interface Retrying extends Bench {
  readonly retry: (options?: RetryOptions, to?: readonly string[]) => ReturnType<typeof deliverWithRetries>;
  /** Seconds from the start at which sends began. */
  readonly times: () => number[];
}

/** Dice of one half: the waits are neither longer nor shorter than the profile says. */
function setUpRetries(options: SetUp): Retrying {
  const bench = setUp({ routes: allTo(['a']), random: () => 0.5, ...options });
  const start = bench.clock.now();
  return {
    ...bench,
    retry: (more = {}, to = [USER]) =>
      deliverWithRetries(bench.deliverer, { envelope: { from: SENDER, to }, message: MESSAGE }, more),
    times: () => bench.events.ofType('attempt-started').map(({ at }) => (at - start) / 1000),
  };
}

describe('the schedule', () => {
  test('by default: waits that double from a minute, five retries, and then the end', async () => {
    const { retry, clock, times } = setUpRetries({ scripts: { a: '451@data try later' } });
    const outcome = await clock.runUntil(retry());
    expect(times()).toEqual([0, 60, 180, 420, 900, 1860]);
    expect(outcome.attempts).toHaveLength(6);
    expect(outcome.recipients).toEqual([
      {
        recipient: USER,
        status: 'rejected',
        failure: {
          kind: 'expired',
          enhanced: '5.4.7',
          message: 'not delivered within 5 retries and 259200000 ms',
          last: { kind: 'reply', phase: 'envelope', reply: { code: 451, text: 'try later' } },
        },
      },
    ]);
  });

  test('a profile sets it; no wait is longer than maxRetryMs', async () => {
    const { retry, clock, times } = setUpRetries({ scripts: { a: '451@data' } });
    await clock.runUntil(retry({ profile: { initialRetryMs: 1000, maxRetryMs: 3000, maxRetries: 4 } }));
    expect(times()).toEqual([0, 1, 3, 6, 9]);
  });

  test('the dice move each wait by up to a tenth', async () => {
    const dice = [0, 0.999, 0.5];
    const { retry, clock, times } = setUpRetries({ scripts: { a: '451@data' }, random: () => dice[0]! });
    const retrying = retry({ profile: { initialRetryMs: 10_000, maxRetries: 3 } });
    for (let i = 0; i < 3; i++) {
      await turns(clock);
      dice.shift();
      await clock.advanceToNext();
    }
    await retrying;
    expect(times()).toEqual([0, 9, 30.996, 70.996]);
  });

  test('maxQueueTimeMs cuts the last wait, so that the last attempt is at the limit', async () => {
    const { retry, clock, times } = setUpRetries({ scripts: { a: '451@data' } });
    const outcome = await clock.runUntil(retry({ profile: { initialRetryMs: 10_000, maxQueueTimeMs: 45_000 } }));
    expect(times()).toEqual([0, 10, 30, 45]);
    expect(results(outcome)).toEqual(['rejected: expired after 451@envelope']);
  });

  test('without retries it ends after the first attempt', async () => {
    const { retry, times } = setUpRetries({ scripts: { a: '451@data' } });
    expect(results(await retry({ profile: { maxRetries: 0 } }))).toEqual(['rejected: expired after 451@envelope']);
    expect(times()).toEqual([0]);
  });

  test('an undefined parameter counts as absent', async () => {
    const { retry, clock, times } = setUpRetries({ scripts: { a: '451@data' } });
    await clock.runUntil(retry({ profile: { maxRetries: undefined } as never }));
    expect(times()).toHaveLength(6);
  });
});

describe('each round', () => {
  test('is for the recipients still open, and the outcome holds all rounds', async () => {
    const { retry, clock, transport } = setUpRetries({
      scripts: { a: [['450@rcpt(u2@example.com)', '550@rcpt(u3@example.com)'], 'refused', '250'] },
    });
    const outcome = await clock.runUntil(retry({ id: 'mail-1' }, [U1, U2, 'u3@example.com', U1]));
    expect(outcome.id).toBe('mail-1');
    expect(results(outcome)).toEqual(['delivered by a', 'delivered by a', 'rejected: 550@envelope']);
    expect(transport.trace.map(({ recipients }) => recipients)).toEqual([[U1, U2, 'u3@example.com'], [U2], [U2]]);
    expect(attempts(outcome)).toEqual([
      'a: accepted [u2@example.com 450@envelope, next-relay] [u3@example.com 550@envelope, reject]',
      'a: ECONNREFUSED@connect, next-relay and cool',
      'a: accepted',
    ]);
  });

  test('no second one, if the first settles all', async () => {
    const { retry, times } = setUpRetries({ scripts: { a: [['550@rcpt(u2@example.com)', 'close@final-reply']] } });
    expect(results(await retry({}, [U1, U2]))).toEqual([
      'possibly-delivered: ECONNECTION@final-reply',
      'rejected: 550@envelope',
    ]);
    expect(times()).toEqual([0]);
  });

  test('what is possibly delivered is tried again only where the deliverer queues it', async () => {
    const { retry, clock, times } = setUpRetries({
      scripts: { a: ['close@final-reply', '250'] },
      onPossiblyDelivered: 'queue',
    });
    expect(results(await clock.runUntil(retry()))).toEqual(['delivered by a']);
    expect(times()).toEqual([0, 60]);
  });
});

describe('an abort', () => {
  test('while waiting ends it: what is open stays for later', async () => {
    const controller = new AbortController();
    const { retry, clock, times } = setUpRetries({ scripts: { a: ['451@data'] } });
    const retrying = retry({ signal: controller.signal });
    await clock.advance(30_000);
    controller.abort();
    expect(results(await retrying)).toEqual(['queue-for-later: 451@envelope']);
    expect(times()).toEqual([0]);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  test('while sending ends the attempt', async () => {
    const controller = new AbortController();
    const { retry, clock } = setUpRetries({ scripts: { a: ['451@data', 'stall@mail'] } });
    const retrying = retry({ signal: controller.signal });
    await clock.advance(60_000);
    controller.abort();
    expect(results(await retrying)).toEqual(['queue-for-later: aborted']);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  test('that comes together with a result keeps the result', async () => {
    const controller = new AbortController();
    const { retry, clock } = setUpRetries({
      scripts: { a: ['451@data', '250'] },
      onEvent: (event) => {
        if (event.type === 'settled' && event.outcome.recipients[0]?.status === 'delivered') controller.abort();
      },
    });
    expect(results(await clock.runUntil(retry({ signal: controller.signal })))).toEqual(['delivered by a']);
  });

  test('beforehand: nothing is tried', async () => {
    const { retry, times } = setUpRetries({});
    expect(results(await retry({ signal: AbortSignal.abort() }))).toEqual(['queue-for-later: aborted']);
    expect(times()).toEqual([]);
  });
});

describe('otherwise', () => {
  test('a deliverer that is closed in between leaves the rest for later', async () => {
    const { retry, clock, deliverer } = setUpRetries({ scripts: { a: ['451@data'] } });
    const retrying = retry();
    await turns(clock);
    await deliverer.close();
    expect(results(await clock.runUntil(retrying))).toEqual(['queue-for-later: 451@envelope']);
  });

  test('wrong use rejects, before anything is done', async () => {
    const { retry, deliverer, times } = setUpRetries({});
    await expect(retry({ profile: { maxRetries: -1 } })).rejects.toThrow(RouteConfigError);
    await expect(retry({}, [])).rejects.toThrow(RouteConfigError);
    await expect(retry({ signal: {} as never })).rejects.toThrow(RouteConfigError);
    await deliverer.close();
    await expect(retry()).rejects.toThrow('after close()');
    expect(times()).toEqual([]);
  });

  test('everything that is wrong is told at once', async () => {
    const { deliverer } = setUpRetries({});
    const wrong = async (...given: readonly unknown[]): Promise<string[]> => {
      const error = await (deliverWithRetries as (...all: readonly unknown[]) => Promise<unknown>)(...given).catch(
        (thrown: unknown) => thrown,
      );
      if (!(error instanceof RouteConfigError)) throw new Error('it was no RouteConfigError', { cause: error });
      return error.problems.map(({ path }) => path);
    };
    const mail = { envelope: { from: SENDER, to: [USER] }, message: MESSAGE };
    expect(await wrong(deliverer, mail, { foo: 1 })).toEqual(['options.foo']);
    expect(await wrong(deliverer, mail, { via: { relay: 'a' } })).toEqual(['options.via']);
    expect(await wrong(deliverer, mail, null)).toEqual(['options']);
    expect(await wrong(undefined, mail)).toEqual(['deliverer']);
    expect(await wrong(deliverer)).toEqual(['envelope', 'message']);
    expect(
      await wrong(null, { ...mail, message: 5 }, { id: '', profile: { foo: 1, maxRetries: -1 }, signal: {} }),
    ).toEqual([
      'deliverer',
      'message',
      'options.id',
      'options.signal',
      'options.profile.foo',
      'options.profile.maxRetries',
    ]);
  });
});
