import { spawn } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { setImmediate as turn } from 'node:timers/promises';
import { Deliverer, defineRoutes } from 'smtp-routes';
import { nodemailerTransport } from 'smtp-routes/nodemailer';
import type { ScriptMoment, SmtpTestServer } from 'smtp-routes/testing';
import { describe, expect, it, test } from 'vitest';
import { toldAttempt, toldOutcome } from './told.js';
import { RECIPIENT, SENDER, SHORT, withRelays, type Relays } from './two-relays.js';

async function sendMany({ send }: Relays, count: number): Promise<string[]> {
  const told: string[] = [];
  for (let i = 0; i < count; i++) told.push(toldOutcome(await send()));
  return told;
}

function everyOne(count: number): string[] {
  return Array.from({ length: count }, () => 'delivered by first');
}

function verbs(server: SmtpTestServer, session: number): string[] {
  return server.sessions[session]!.commands.map((line) => line.split(/[ :]/)[0]!);
}

describe('connections are used again', () => {
  it('with pool, by one message after the other', async () => {
    await withRelays({ via: { pool: true } }, async (relays) => {
      expect(await sendMany(relays, 10)).toEqual(everyOne(10));
      expect(relays.first.connections).toBe(1);
      expect(relays.first.messages).toHaveLength(10);
    });
  });

  it('without pool, never: each message has a connection, closed with QUIT', async () => {
    await withRelays({}, async (relays) => {
      expect(await sendMany(relays, 3)).toEqual(everyOne(3));
      await relays.first.until(({ open }) => open === 0);
      expect(relays.first.connections).toBe(3);
      for (const i of [0, 1, 2]) expect(verbs(relays.first, i)).toEqual(['EHLO', 'MAIL', 'RCPT', 'DATA', 'QUIT']);
    });
  });

  it('by at most maxMessages messages', async () => {
    await withRelays({ via: { pool: true, maxMessages: 3 } }, async (relays) => {
      expect(await sendMany(relays, 7)).toEqual(everyOne(7));
      await relays.first.until(({ open }) => open === 1);
      expect(relays.first.sessions.map(({ messages }) => messages)).toEqual([3, 3, 1]);
      expect(verbs(relays.first, 0).at(-1)).toBe('QUIT');
    });
  });

  it('until they have been idle for idleMs', async () => {
    await withRelays({ via: { pool: true, idleMs: 20 } }, async (relays) => {
      await sendMany(relays, 2);
      await relays.first.until(({ open }) => open === 0);
      expect(verbs(relays.first, 0).at(-1)).toBe('QUIT');
      expect(await sendMany(relays, 1)).toEqual(everyOne(1));
      expect(relays.first.connections).toBe(2);
    });
  });

  it('until the deliverer is closed, with QUIT', async () => {
    await withRelays({ via: { pool: true } }, async (relays) => {
      await sendMany(relays, 2);
      await relays.deliverer.close();
      await relays.first.until(({ open }) => open === 0);
      expect(verbs(relays.first, 0).at(-1)).toBe('QUIT');
      expect(relays.events.ofType('connection-closed')).toHaveLength(1);
    });
  });

  it('the one used last first, so that the others may grow idle', async () => {
    await withRelays({ via: { pool: true }, first: { latencyMs: 2 } }, async (relays) => {
      await Promise.all([relays.send(), relays.send()]);
      expect(relays.first.connections).toBe(2);
      const last = relays.first.messages.at(-1)!.connection;
      await sendMany(relays, 5);
      expect(relays.first.messages.slice(-5).map(({ connection }) => connection)).toEqual([
        last,
        last,
        last,
        last,
        last,
      ]);
    });
  });
});

describe('no more connections are open than allowed', () => {
  test.each([
    ['maxConnections, pooled', { pool: true, maxConnections: 2 }, 2],
    ['maxConnections, not pooled', { maxConnections: 3 }, 3],
    ['5 by default when pooled', { pool: true }, 5],
    ['20 by default when not', {}, 20],
  ])('%s', async (_what, via, most) => {
    await withRelays({ via, first: { latencyMs: 1 } }, async ({ first, send }) => {
      let seen = 0;
      void first.until(({ open }) => {
        seen = Math.max(seen, open);
        return false;
      });
      const outcomes = await Promise.all(Array.from({ length: 40 }, () => send()));
      expect(new Set(outcomes.map(toldOutcome))).toEqual(new Set(['delivered by first']));
      // A connection that says goodbye is open still, and serves nobody.
      expect(first.sessions.length).toBeGreaterThanOrEqual(most);
      expect(seen).toBeLessThanOrEqual('pool' in via ? most : most * 2);
    });
  });
});

const ENDS = ['close', 'reset', '421 4.4.2 idle too long'] as const;

describe.each([true, false])('a connection that the server gave up while idle (PIPELINING: %s)', (pipelining) => {
  const first = { extensions: pipelining ? ['PIPELINING'] : [] };

  function expectNoHarm({ deliverer, events, first, second }: Relays): void {
    expect(events.ofType('relay-cooled')).toEqual([]);
    expect(events.ofType('masked-failure')).toEqual([]);
    expect(deliverer.health()['first']!.state).toBe('up');
    expect(first.connections).toBe(2);
    expect(second.connections).toBe(0);
  }

  test.each(ENDS)('by %s is not used again', async (line) => {
    await withRelays({ via: { pool: true }, first }, async (relays) => {
      await sendMany(relays, 1);
      expect(relays.first.closeIdle(line)).toBe(1);
      while (relays.events.ofType('connection-closed').length === 0) await turn();
      const outcome = await relays.send();
      expect(outcome.attempts.map(toldAttempt)).toEqual(['delivered']);
      expectNoHarm(relays);
    });
  });

  test.each(ENDS)('by %s at the moment we use it is no failed attempt', async (line) => {
    await withRelays({ via: { pool: true }, first }, async (relays) => {
      await sendMany(relays, 1);
      const sending = relays.send();
      relays.first.closeIdle(line);
      const outcome = await sending;
      expect(outcome.attempts.map(toldAttempt)).toEqual(['delivered']);
      expectNoHarm(relays);
      expect(relays.first.messages).toHaveLength(2);
    });
  });

  test.each(['421@mail 4.3.2 not now', 'close@mail', 'reset@mail'])(
    'and whose successor answers %s is a failed attempt: the second chance is one',
    async (line) => {
      const again = {
        ...first,
        script: ({ message, connection }: ScriptMoment) => (message === 1 || connection === 2 ? line : undefined),
      };
      await withRelays({ via: { pool: true }, first: again }, async (relays) => {
        await sendMany(relays, 1);
        const outcome = await relays.send();
        expect(toldOutcome(outcome)).toBe('delivered by second');
        expect(outcome.attempts).toHaveLength(2);
        expect(relays.first.connections).toBe(2);
        expect(relays.deliverer.health()['first']!.state).toBe('down');
      });
    },
  );

  it('and that is silent until the time of the attempt is over has taken that time: the next relay', async () => {
    const silent = {
      ...first,
      script: ({ message, stage }: ScriptMoment) => (message === 1 && stage === 'mail' ? 'stall@mail' : undefined),
    };
    await withRelays({ via: { pool: true }, first: silent, deliverer: { attemptTimeoutMs: 250 } }, async (relays) => {
      await sendMany(relays, 1);
      const outcome = await relays.send();
      expect(outcome.attempts.map(toldAttempt)).toEqual(['lost at envelope: next-relay, cool', 'delivered']);
      expect(relays.first.connections).toBe(1);
    });
  });

  it('while it reset the session after a refused envelope is no failed attempt either', async () => {
    const refusing = {
      ...first,
      script: ({ message, connection }: ScriptMoment) =>
        message === 0 && connection === 1 ? '550@rcpt no' : undefined,
    };
    await withRelays({ via: { pool: true }, first: refusing }, async (relays) => {
      expect(toldOutcome(await relays.send())).toBe('rejected: 550');
      const sending = relays.send();
      for (const session of relays.first.sessions) expect(session.open).toBe(true);
      relays.first.drop();
      expect((await sending).attempts.map(toldAttempt)).toEqual(['delivered']);
      expectNoHarm(relays);
    });
  });
});

describe.each([true, false])('after a refusal (PIPELINING: %s)', (pipelining) => {
  const extensions = pipelining ? ['PIPELINING'] : [];

  test.each([
    ['450@mail later', 'no RSET', false],
    ['550@mail no', 'no RSET', false],
    ['450@rcpt later', 'RSET', true],
    ['550@rcpt no', 'RSET', true],
    ['451@data later', 'RSET', true],
    ['554@data no', 'RSET', true],
    ['450@final-reply later', 'no RSET', false],
    ['554@final-reply no', 'no RSET', false],
  ])('%s, the connection serves the next message, after %s', async (line, _what, reset) => {
    let refusals = 0;
    const script = ({ stage }: ScriptMoment): string | undefined =>
      line.includes(stage) && refusals++ === 0 ? line : undefined;
    await withRelays({ via: { pool: true }, first: { extensions, script } }, async (relays) => {
      const refused = toldAttempt((await relays.send()).attempts[0]!);
      expect(refused).toContain(line.slice(0, 3));
      expect(await sendMany(relays, 1)).toEqual(everyOne(1));
      expect(relays.first.connections).toBe(1);
      expect(verbs(relays.first, 0).includes('RSET')).toBe(reset);
      expect(relays.first.messages).toHaveLength(1);
    });
  });

  test.each(['mail', 'rcpt', 'data', 'final-reply'])(
    'with 421 to %s it is closed, even if the server leaves it open',
    async (stage) => {
      const script = (at: ScriptMoment): string | undefined =>
        at.stage === stage && at.connection === 1 ? `raw@${stage} 421 4.3.2 not now\r\n` : undefined;
      await withRelays({ via: { pool: true }, first: { extensions, script } }, async (relays) => {
        expect(toldOutcome(await relays.send())).toBe('delivered by second');
        await relays.first.until(({ open }) => open === 0);
      });
    },
  );
});

describe('the transport by itself', () => {
  async function withTransport(
    use: (at: {
      server: SmtpTestServer;
      sendOne: () => Promise<unknown>;
      transport: ReturnType<typeof nodemailerTransport>;
    }) => Promise<void>,
  ): Promise<void> {
    await withRelays({ first: { latencyMs: 3 } }, async ({ first }) => {
      const transport = nodemailerTransport({ pool: true });
      const table = defineRoutes({
        relays: { only: { host: first.host, port: first.port } },
        routes: [{ match: 'ALL', tiers: [['only']] }],
      });
      const sendOne = (): Promise<unknown> =>
        transport.send({
          relay: table.relay('only'),
          envelope: { from: SENDER, to: [RECIPIENT] },
          message: SHORT,
          signal: new AbortController().signal,
        });
      try {
        await use({ server: first, sendOne, transport });
      } finally {
        await transport.close?.();
      }
    });
  }

  it('can be used again after close()', async () => {
    await withTransport(async ({ server, sendOne, transport }) => {
      await sendOne();
      await transport.close?.();
      await server.until(({ open }) => open === 0);
      await sendOne();
      expect(server.messages).toHaveLength(2);
      expect(server.connections).toBe(2);
    });
  });

  it('closes a busy connection as soon as it has done its work', async () => {
    await withTransport(async ({ server, sendOne, transport }) => {
      const sending = sendOne();
      await server.until(({ open }) => open === 1);
      await transport.close?.();
      expect(await sending).toMatchObject([{ recipient: RECIPIENT, reply: { code: 250 } }]);
      await server.until(({ open }) => open === 0);
      expect(verbs(server, 0).at(-1)).toBe('QUIT');
    });
  });

  it('checks a relay without sending', async () => {
    await withTransport(async ({ server, transport }) => {
      const table = defineRoutes({
        relays: { good: { host: server.host, port: server.port }, bad: { host: server.host, port: 1 } },
        routes: [{ match: 'ALL', tiers: [['good', 'bad']] }],
      });
      await transport.check?.(table.relay('good'));
      await server.until(({ open, connections }) => connections === 1 && open === 0);
      expect(verbs(server, 0)).toEqual(['EHLO', 'QUIT']);
      await expect(transport.check?.(table.relay('bad'))).rejects.toMatchObject({
        message: 'relay bad cannot be used',
        cause: { kind: 'lost', phase: 'connect', code: 'ECONNREFUSED' },
      });
    });
  });
});

it('1,000 messages leave no socket, no timer and no listener behind', async () => {
  const sockets: Socket[] = [];
  const onSocket = (message: unknown): void => void sockets.push((message as { socket: Socket }).socket);
  const warnings: Error[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning);
  const listeners = (): number[] =>
    sockets.map((socket) => socket.eventNames().reduce((sum, name) => sum + socket.listenerCount(name), 0));
  const resources = (): string[] =>
    process
      .getActiveResourcesInfo()
      .filter((name) => /TCP|Timeout|Immediate/.test(name))
      .sort();

  process.on('warning', onWarning);
  const before = resources();
  await withRelays(
    { via: { pool: true, maxConnections: 1, maxMessages: 2000 }, first: { keep: 'counts' } },
    async (relays) => {
      subscribe('net.client.socket', onSocket);
      await sendMany(relays, 5);
      const early = listeners();
      for (let i = 0; i < 5; i++) await Promise.all(Array.from({ length: 199 }, () => relays.send()));
      expect(relays.first.accepted).toBe(1000);
      expect(sockets).toHaveLength(1);
      expect(listeners()).toEqual(early);
    },
  );
  unsubscribe('net.client.socket', onSocket);
  await turn();
  expect(sockets.every(({ destroyed }) => destroyed)).toBe(true);
  process.off('warning', onWarning);
  expect(warnings).toEqual([]);
  expect(resources().length).toBeLessThanOrEqual(before.length);
});

it('a process with idle pooled connections ends by itself', async () => {
  await withRelays({}, async ({ first }) => {
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', fileURLToPath(new URL('send-and-end.ts', import.meta.url)), String(first.port)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const code = await new Promise((resolve) => child.once('exit', resolve));
    expect({ code, said: said.trim() }).toEqual({ code: 0, said: 'delivered' });
    expect(first.messages).toHaveLength(1);
    expect(first.sessions[0]!.commands).not.toContain('QUIT');
  });
});

it('a deliverer that is not pooled closes its connection without being asked', async () => {
  await withRelays({}, async ({ first }) => {
    const deliverer = new Deliverer({
      routes: defineRoutes({
        relays: { only: { host: first.host, port: first.port } },
        routes: [{ match: 'ALL', tiers: [['only']] }],
      }),
      transport: nodemailerTransport(),
    });
    await deliverer.deliver({ envelope: { from: SENDER, to: [RECIPIENT] }, message: SHORT });
    await first.until(({ open }) => open === 0);
    expect(verbs(first, 0).at(-1)).toBe('QUIT');
  });
});
