/**
 * The caller gives up, or the time is over: before the final dot that ends the delivery at once,
 * after it the answer is still waited for. Either way no socket stays behind.
 */
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';
import type { DeliveryOutcome, SmtpVia } from 'smtp-routes';
import type { SmtpTestServer, Stage } from 'smtp-routes/testing';
import { describe, expect, it, test } from 'vitest';
import { startRawServer } from './raw-server.js';
import { toldAttempt, toldOutcome } from './told.js';
import { messageOf, SHORT, withRelays, type Relays, type RelaysOptions } from './two-relays.js';

const LONG = messageOf(8_000_000);

/** Begins a delivery, and aborts it once the first server stands still at `stage`. */
async function abortAt(
  stage: Stage,
  options: RelaysOptions,
  check: (outcome: DeliveryOutcome, relays: Relays) => Promise<void> | void,
): Promise<void> {
  await withRelays({ ...options, first: { script: `stall@${stage}`, ...options.first } }, async (relays) => {
    const abort = new AbortController();
    const sending = relays.send(undefined, stage === 'body' ? LONG : SHORT, { signal: abort.signal });
    await relays.first.until(({ sessions }) => sessions.some(({ stalled }) => stalled));
    await turn();
    abort.abort();
    await check(await sending, relays);
  });
}

async function allGone(server: SmtpTestServer): Promise<void> {
  // A server that has stopped reading does not notice that we left.
  server.release();
  await server.until(({ open }) => open === 0);
}

const BEFORE_THE_DOT = ['greeting', 'ehlo', 'mail', 'rcpt', 'data', 'body'] as const;

describe('an abort', () => {
  test.each(BEFORE_THE_DOT)(
    'while the server is silent at %s ends the delivery at once, and the connection',
    async (stage) => {
      await abortAt(stage, {}, async (outcome, { first, second, deliverer }) => {
        expect(outcome.recipients[0]).toMatchObject({ status: 'queue-for-later', failure: { kind: 'aborted' } });
        await allGone(first);
        expect(first.received).toEqual([]);
        expect(second.connections).toBe(0);
        expect(deliverer.health()['first']!.state).not.toBe('down');
      });
    },
  );

  test.each(['starttls', 'auth'] as const)('during %s too', async (stage) => {
    const first = stage === 'auth' ? { auth: () => true } : { extensions: ['STARTTLS'] };
    const firstVia: Partial<SmtpVia> = stage === 'auth' ? { auth: { user: 'u', pass: 'p' } } : {};
    await abortAt(stage, { first, firstVia }, async (outcome, relays) => {
      expect(toldOutcome(outcome)).toBe('queue-for-later: aborted');
      await allGone(relays.first);
    });
  });

  it('before anything was done starts nothing', async () => {
    await withRelays({}, async ({ first, second, send }) => {
      const outcome = await send(undefined, SHORT, { signal: AbortSignal.abort() });
      expect(toldOutcome(outcome)).toBe('queue-for-later: aborted');
      expect(outcome.attempts).toEqual([]);
      expect([first.connections, second.connections]).toEqual([0, 0]);
    });
  });

  test.each<[string, Partial<SmtpVia>]>([
    ['an address that does not answer', { host: '192.0.2.1' }],
    ['a name that is being looked up', { host: 'localhost', allowInternalNetworkInterfaces: true }],
  ])('while connecting to %s leaves nothing behind', async (_what, firstVia) => {
    await withRelays({ firstVia }, async ({ first, send }) => {
      const abort = new AbortController();
      const sending = send(undefined, SHORT, { signal: abort.signal });
      await Promise.resolve();
      abort.abort();
      expect(toldOutcome(await sending)).toBe('queue-for-later: aborted');
      for (let i = 0; i < 20; i++) await turn();
      await allGone(first);
      expect(first.received).toEqual([]);
    });
  });

  it('on a pooled connection spoils that connection only', async () => {
    const script = (at: { stage: Stage; message: number; connection: number }): string | undefined =>
      at.connection === 1 && at.message === 1 && at.stage === 'rcpt' ? 'stall@rcpt' : undefined;
    await withRelays({ via: { pool: true }, first: { script } }, async ({ first, send }) => {
      await send();
      const abort = new AbortController();
      const sending = send(undefined, SHORT, { signal: abort.signal });
      await first.until(({ sessions }) => sessions[0]!.stalled);
      abort.abort();
      expect(toldOutcome(await sending)).toBe('queue-for-later: aborted');
      await allGone(first);
      expect(toldOutcome(await send())).toBe('delivered by first');
      expect(first.received).toHaveLength(2);
    });
  });

  it('after the dot does not interrupt: the reply decides', async () => {
    for (const [line, told] of [
      ['', 'delivered by first'],
      ['554', 'rejected: 554'],
    ]) {
      let asked = 0;
      const script = (at: { stage: Stage }): string | undefined => {
        if (at.stage !== 'final-reply') return undefined;
        return asked++ === 0 ? 'stall@final-reply' : line || undefined;
      };
      await withRelays({ first: { script: line === '' ? 'stall@final-reply' : script } }, async ({ first, send }) => {
        const abort = new AbortController();
        const sending = send(undefined, SHORT, { signal: abort.signal });
        await first.until(({ sessions }) => sessions.some(({ stalled }) => stalled));
        abort.abort();
        let settled = false;
        void sending.then(() => (settled = true));
        await wait(20);
        expect(settled).toBe(false);
        first.release();
        const outcome = await sending;
        if (line === '') expect(toldOutcome(outcome)).toBe(told);
        else expect(toldOutcome(outcome)).not.toBe('queue-for-later: aborted');
      });
    }
  });

  it('after the dot, when no reply comes until the limit: possibly delivered, and the socket is gone', async () => {
    await abortAt('final-reply', { deliverer: { attemptTimeoutMs: 300 } }, async (outcome, { first, second }) => {
      expect(toldOutcome(outcome)).toBe('possibly-delivered by first');
      expect(outcome.attempts.map(toldAttempt)).toEqual(['lost at final-reply: stop, cool']);
      expect(second.connections).toBe(0);
      await allGone(first);
    });
  });
});

describe('the limit of a delivery', () => {
  test.each(BEFORE_THE_DOT)('passes while the server is silent at %s: it waits for another time', async (stage) => {
    const options = { first: { script: `stall@${stage}` }, deliverer: { deadlineMs: stage === 'body' ? 400 : 80 } };
    await withRelays(options, async ({ first, second, send }) => {
      const outcome = await send(undefined, stage === 'body' ? LONG : SHORT);
      expect(outcome.recipients[0]).toMatchObject({ status: 'queue-for-later', failure: { kind: 'expired' } });
      await allGone(first);
      expect(first.received).toEqual([]);
      expect(second.connections).toBe(0);
    });
  });

  it('passes after the dot: possibly delivered', async () => {
    await withRelays(
      { first: { script: 'stall@final-reply' }, deliverer: { deadlineMs: 250 } },
      async ({ first, send }) => {
        expect(toldOutcome(await send())).toBe('possibly-delivered by first');
        await allGone(first);
      },
    );
  });
});

it('close() with a limit ends what is under way, and its sockets', async () => {
  await withRelays({ first: { script: 'stall@rcpt' } }, async ({ first, send, deliverer }) => {
    const sending = send();
    await first.until(({ sessions }) => sessions.some(({ stalled }) => stalled));
    await deliverer.close({ timeoutMs: 30 });
    expect(toldOutcome(await sending)).toBe('queue-for-later: expired');
    await allGone(first);
  });
});

it('a peer that never closes its side does not keep the socket open', async () => {
  let closed = 0;
  const stubborn = await startRawServer((socket) => {
    socket.allowHalfOpen = true;
    socket.pause();
    socket.on('close', () => closed++);
    socket.write('220 hi\r\n');
  });
  try {
    const abort = new AbortController();
    await withRelays({ firstVia: { port: stubborn.port } }, async ({ send }) => {
      const before = process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
      const sending = send(undefined, SHORT, { signal: abort.signal });
      await wait(30);
      abort.abort();
      expect(toldOutcome(await sending)).toBe('queue-for-later: aborted');
      await wait(10);
      // The server's end may still be open; ours is not.
      const after = process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
      expect(after).toBeLessThanOrEqual(before + 1);
    });
  } finally {
    await stubborn.close();
  }
});
