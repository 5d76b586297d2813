import { describe, expect, test } from 'vitest';
import { attempts, allTo, results, setUp, USER } from './set-up.js';

describe('a connection lost after the final dot', () => {
  test('is reported by default, cools the relay, and no other relay is tried', async () => {
    const { deliver, deliverer, sends } = setUp({ scripts: { a: ['close@final-reply'] } });
    const outcome = await deliver();
    expect(results(outcome)).toEqual(['possibly-delivered: ECONNECTION@final-reply']);
    expect(outcome.recipients[0]).toMatchObject({ relay: 'a' });
    expect(attempts(outcome)).toEqual(['a: ECONNECTION@final-reply, stop and cool']);
    expect(sends()).toEqual(['a']);
    expect(deliverer.health()['a']).toMatchObject({ state: 'down' });
  });

  test('queue: left for later, and no other relay is tried now', async () => {
    const { deliver, sends, clock } = setUp({
      scripts: { a: ['close@final-reply'] },
      onPossiblyDelivered: 'queue',
      profile: { initialRetryMs: 1000 },
    });
    const outcome = await deliver();
    expect(results(outcome)).toEqual(['queue-for-later: ECONNECTION@final-reply']);
    expect(outcome.recipients[0]).toMatchObject({ retryAt: clock.now() + 900 });
    expect(sends()).toEqual(['a']);
  });

  test('next-relay: the next one is tried', async () => {
    const { deliver, sends } = setUp({
      scripts: { a: ['close@final-reply'], b: ['250'] },
      onPossiblyDelivered: 'next-relay',
    });
    expect(results(await deliver())).toEqual(['delivered by b']);
    expect(sends()).toEqual(['a', 'b']);
  });

  test('assume-delivered: taken for delivered, without a reply', async () => {
    const { deliver, sends } = setUp({
      scripts: { a: ['close@final-reply'] },
      onPossiblyDelivered: 'assume-delivered',
    });
    expect((await deliver()).recipients).toEqual([{ recipient: USER, status: 'delivered', relay: 'a' }]);
    expect(sends()).toEqual(['a']);
  });

  test.each(['354@final-reply go on', '250@body early', 'raw@final-reply 25'])(
    'means the same as %s would to the dot or in the body',
    async (line) => {
      const { deliver } = setUp({ scripts: { a: [line] }, partly: true });
      const [result] = results(await deliver());
      expect(result).toMatch(
        line.includes('@body') ? /^delivered by b$/ : /^possibly-delivered: (354|EPROTOCOL)@final-reply$/,
      );
    },
  );

  test('concerns only those whom the relay had not refused before', async () => {
    const { deliver, transport } = setUp({
      scripts: { a: [['550@rcpt(u1@example.com)', '450@rcpt(u2@example.com)', 'reset@final-reply']], b: ['250'] },
    });
    const outcome = await deliver(['u1@example.com', 'u2@example.com', 'u3@example.com']);
    expect(results(outcome)).toEqual([
      'rejected: 550@envelope',
      'delivered by b',
      'possibly-delivered: ECONNRESET@final-reply',
    ]);
    expect(transport.trace[1]?.recipients).toEqual(['u2@example.com']);
    expect(attempts(outcome)).toEqual([
      'a: ECONNRESET@final-reply, stop and cool [u1@example.com 550@envelope, reject] [u2@example.com 450@envelope, next-relay]',
      'b: accepted',
    ]);
  });

  test('is nobody else’s result: those who wait for the relay try for themselves', async () => {
    const { deliver, transport, clock, deliverer } = setUp({
      routes: allTo(['a']),
      scripts: { a: ['refused', ['stall@data', 'close@final-reply'], '250'] },
    });
    await deliver();
    expect(deliverer.health()['a']).toMatchObject({ state: 'down' });
    const both = [deliver('1@example.com'), deliver('2@example.com')];
    await clock.advance(0);
    expect(transport.busy()).toBe(1);
    transport.release();
    expect((await Promise.all(both)).map((outcome) => results(outcome)[0])).toEqual([
      'possibly-delivered: ECONNECTION@final-reply',
      'delivered by a',
    ]);
  });
});
