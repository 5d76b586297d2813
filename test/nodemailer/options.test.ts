/**
 * What a relay's options do on the wire, and what a server that lacks an extension means.
 */
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { generate } from 'selfsigned';
import { Deliverer, defineRoutes, type SmtpVia } from 'smtp-routes';
import { nodemailerTransport } from 'smtp-routes/nodemailer';
import { startSmtpServer, type SmtpServerOptions } from 'smtp-routes/testing';
import { describe, expect, it, test } from 'vitest';
import { startRawServer } from './raw-server.js';
import { toldAttempt, toldOutcome } from './told.js';
import { messageOf, RECIPIENT, SENDER, SHORT, withRelays } from './two-relays.js';
import { withProxy } from './with-proxy.js';

describe('options reach the wire', () => {
  it('name, in EHLO', async () => {
    await withRelays({ firstVia: { name: 'client.example.org' } }, async ({ first, send }) => {
      await send();
      expect(first.sessions[0]!.commands[0]).toBe('EHLO client.example.org');
    });
  });

  it('localAddress, in the connection, the attempt and the events', async () => {
    await withRelays({ firstVia: { localAddress: '127.0.0.2' } }, async ({ send, events }) => {
      const outcome = await send();
      expect(outcome.attempts[0]).toMatchObject({ address: '127.0.0.1', localAddress: '127.0.0.2' });
      expect(events.ofType('connection-opened')[0]).toMatchObject({ address: '127.0.0.1', localAddress: '127.0.0.2' });
    });
  });

  it('a host name is looked up', async () => {
    await withRelays({ firstVia: { host: 'localhost', allowInternalNetworkInterfaces: true } }, async ({ send }) => {
      const outcome = await send();
      expect(toldOutcome(outcome)).toBe('delivered by first');
      expect(outcome.attempts[0]).toMatchObject({ host: 'localhost', address: '127.0.0.1' });
    });
  });

  it('the defaults of the transport hold for relays that do not say otherwise', async () => {
    const transport = nodemailerTransport({ name: 'default.example.org' });
    await withRelays(
      { deliverer: { transport }, firstVia: { name: 'own.example.org' }, first: { script: '450@mail later' } },
      async ({ first, second, send }) => {
        await send();
        expect(first.sessions[0]!.commands[0]).toBe('EHLO own.example.org');
        expect(second.sessions[0]!.commands[0]).toBe('EHLO default.example.org');
      },
    );
  });

  it('dsn, in MAIL and RCPT', async () => {
    const first = { extensions: ['PIPELINING', 'DSN'] };
    await withRelays({ first }, async ({ first: server, deliverer }) => {
      const dsn = { ret: 'HDRS', envid: 'id-1', notify: ['FAILURE', 'DELAY'], orcpt: `rfc822;${RECIPIENT}` };
      const outcome = await deliverer.deliver({ envelope: { from: SENDER, to: [RECIPIENT], dsn }, message: SHORT });
      expect(toldOutcome(outcome)).toBe('delivered by first');
      expect(server.messages[0]!.mailArgs).toContain('RET=HDRS');
      expect(server.messages[0]!.mailArgs).toContain('ENVID=id-1');
      expect(server.messages[0]!.rcptArgs[0]).toContain('NOTIFY=FAILURE,DELAY');
      expect(server.messages[0]!.rcptArgs[0]).toContain(`ORCPT=rfc822;${RECIPIENT}`);
    });
  });

  it('dsn is left out where it is not offered', async () => {
    await withRelays({}, async ({ first, deliverer }) => {
      const dsn = { notify: 'NEVER' };
      const outcome = await deliverer.deliver({ envelope: { from: SENDER, to: [RECIPIENT], dsn }, message: SHORT });
      expect(toldOutcome(outcome)).toBe('delivered by first');
      expect(first.messages[0]!.rcptArgs[0]).toBe('');
    });
  });

  it('the null reverse-path goes out as such', async () => {
    await withRelays({}, async ({ first, deliverer }) => {
      await deliverer.deliver({ envelope: { from: '', to: [RECIPIENT] }, message: SHORT });
      expect(first.sessions[0]!.commands.find((line) => line.startsWith('MAIL'))).toMatch(/^MAIL FROM:<>/);
    });
  });
});

describe('a time-out', () => {
  it('to a host that does not take connections is connectionTimeout', async () => {
    // A listener whose queue is full, as far as loopback can be made to show one: nobody answers in TEST-NET.
    const firstVia = { host: '192.0.2.1', connectionTimeout: 60 };
    await withRelays({ firstVia }, async ({ send }) => {
      const outcome = await send();
      expect(toldAttempt(outcome.attempts[0]!)).toBe('lost at connect: next-relay, cool');
      expect(toldOutcome(outcome)).toBe('delivered by second');
      expect(outcome.attempts[0]!.endedAt - outcome.attempts[0]!.startedAt).toBeLessThan(1000);
    });
  });

  test.each<[string, string, Partial<SmtpVia>, string]>([
    ['of the greeting', 'stall@greeting', { greetingTimeout: 40 }, 'lost at connect: next-relay, cool'],
    [
      'of the greeting, cut short by connectionTimeout',
      'stall@connect',
      { greetingTimeout: 40, connectionTimeout: 40 },
      'lost at connect: next-relay, cool',
    ],
    ['of a reply', 'stall@mail', { socketTimeout: 200 }, 'lost at envelope: next-relay, cool'],
    ['of the final reply', 'stall@final-reply', { socketTimeout: 200 }, 'lost at final-reply: stop, cool'],
  ])('%s', async (_what, script, firstVia, told) => {
    await withRelays({ first: { script }, firstVia }, async ({ send, first }) => {
      const outcome = await send();
      expect(toldAttempt(outcome.attempts[0]!)).toBe(told);
      expect(outcome.attempts[0]!.failure).toMatchObject({ code: 'ETIMEDOUT' });
      await first.until(({ open }) => open === 0);
    });
  });

  test.each(['greeting', 'ehlo', 'mail', 'rcpt', 'data', 'final-reply'])(
    'of the whole attempt, while the server is silent at %s',
    async (stage) => {
      await withRelays(
        { first: { script: `stall@${stage}` }, deliverer: { attemptTimeoutMs: 250 } },
        async ({ send, first }) => {
          const outcome = await send();
          const told = stage === 'final-reply' ? 'possibly-delivered by first' : 'delivered by second';
          expect(toldOutcome(outcome)).toBe(told);
          expect(outcome.attempts[0]!.failure).toMatchObject({ kind: 'lost', code: 'ETIMEDOUT' });
          await first.until(({ open }) => open === 0);
        },
      );
    },
  );
});

describe('SIZE', () => {
  const SMALL = { extensions: ['SIZE 1000'] };

  it('is announced', async () => {
    await withRelays({ first: { extensions: ['SIZE 100000'] } }, async ({ first, send }) => {
      await send();
      expect(first.messages[0]!.mailArgs).toContain(`SIZE=${String(SHORT.length)}`);
    });
  });

  test.each([true, false])('a message that is too large for one relay goes to the next (pooled: %s)', async (pool) => {
    await withRelays({ first: SMALL, via: { pool } }, async ({ first, send, deliverer, events }) => {
      const outcome = await send(undefined, messageOf(2000));
      expect(outcome.attempts.map(toldAttempt)).toEqual(['unsupported: next-relay', 'delivered']);
      expect(toldOutcome(outcome)).toBe('delivered by second');
      expect(deliverer.health()['first']!.state).not.toBe('down');
      expect(events.ofType('relay-cooled')).toEqual([]);
      // Nothing was said, and a smaller message goes over the same connection.
      expect(toldOutcome(await send(undefined, 'Subject: x\r\n\r\nsmall\r\n'))).toBe('delivered by first');
      expect(first.connections).toBe(pool ? 1 : 2);
    });
  });

  it('a message that is too large for all is rejected with 5.3.4', async () => {
    await withRelays({ first: SMALL, second: SMALL }, async ({ send }) => {
      const outcome = await send(undefined, messageOf(2000));
      expect(outcome.recipients[0]).toMatchObject({
        status: 'rejected',
        failure: { kind: 'unsupported', need: 'SIZE', enhanced: '5.3.4' },
      });
    });
  });

  it('a message that is too large for one of two, where the other may take it later, waits', async () => {
    for (const [first, second] of [
      [SMALL, { script: '450@mail later' }],
      [{ script: '450@mail later' }, SMALL],
    ] as const) {
      await withRelays({ first, second }, async ({ send }) => {
        expect(toldOutcome(await send(undefined, messageOf(2000)))).toBe('queue-for-later: 450');
      });
    }
  });
});

describe('SMTPUTF8', () => {
  const OFFERS = { extensions: ['PIPELINING', '8BITMIME', 'SMTPUTF8'] };
  const WITHOUT: SmtpServerOptions = { extensions: ['PIPELINING', '8BITMIME'] };
  const UTF8 = 'jörg@example.com';

  it('an address that needs it goes where it is offered', async () => {
    await withRelays({ first: OFFERS }, async ({ first, send }) => {
      expect(toldOutcome(await send([UTF8]))).toBe('delivered by first');
      expect(first.messages[0]!.mailArgs).toContain('SMTPUTF8');
      expect(first.messages[0]!.to).toEqual([UTF8]);
    });
  });

  it('and is never sent where it is not: the next relay gets it, and the others are not held up', async () => {
    await withRelays({ first: WITHOUT, second: OFFERS }, async ({ first, second, send, events }) => {
      const outcome = await send([UTF8, RECIPIENT]);
      expect(outcome.recipients.map((one) => one.status)).toEqual(['delivered', 'delivered']);
      expect(first.messages.map(({ to }) => to)).toEqual([[RECIPIENT]]);
      expect(second.messages.map(({ to }) => to)).toEqual([[UTF8]]);
      expect(first.sessions[0]!.commands.join('\n')).not.toContain('jörg');
      expect(events.ofType('relay-cooled')).toEqual([]);
    });
  });

  it('lacked by all, it is rejected with 5.6.7', async () => {
    await withRelays({ first: WITHOUT, second: WITHOUT }, async ({ send }) => {
      expect((await send([UTF8])).recipients[0]).toMatchObject({
        status: 'rejected',
        failure: { kind: 'unsupported', need: 'SMTPUTF8', enhanced: '5.6.7' },
      });
    });
  });

  it('a sender that needs it holds for all recipients', async () => {
    await withRelays({ first: WITHOUT, second: OFFERS }, async ({ first, second, deliverer }) => {
      const outcome = await deliverer.deliver({
        envelope: { from: 'jürgen@example.net', to: [RECIPIENT] },
        message: SHORT,
      });
      expect(toldOutcome(outcome)).toBe('delivered by second');
      expect(first.sessions[0]!.commands.filter((line) => line.startsWith('MAIL'))).toEqual([]);
      expect(second.messages).toHaveLength(1);
    });
  });

  it('an international domain with an ASCII local part needs none: it goes out as A-label', async () => {
    await withRelays({ first: WITHOUT }, async ({ first, deliverer }) => {
      const to = ['user@münchen.example'];
      const outcome = await deliverer.deliver({ envelope: { from: 'sender@bücher.example', to }, message: SHORT });
      expect(outcome.recipients).toMatchObject([{ recipient: to[0], status: 'delivered', relay: 'first' }]);
      expect(first.messages[0]).toMatchObject({
        from: 'sender@xn--bcher-kva.example',
        to: ['user@xn--mnchen-3ya.example'],
      });
    });
  });
});

describe('a message that cannot be read is no fault of a relay', () => {
  it('half-way: it waits, and nobody has half of it', async () => {
    await withRelays({}, async ({ first, second, send, events }) => {
      const open = broken;
      const outcome = await send(undefined, { open });
      expect(outcome.recipients[0]!.status).toBe('queue-for-later');
      expect(outcome.recipients[0]).toMatchObject({
        failure: { kind: 'aborted', message: expect.stringContaining('the disk is gone') },
      });
      expect(events.ofType('relay-cooled')).toEqual([]);
      await first.until(({ open: count }) => count === 0);
      expect([...first.received, ...second.received]).toEqual([]);
    });
  });
});

function broken(): Readable {
  return Readable.from(
    (async function* () {
      yield messageOf(200_000);
      await new Promise((resolve) => setImmediate(resolve));
      throw new Error('the disk is gone');
    })(),
  );
}

describe('through a proxy', () => {
  it('a message is delivered, and the connection is reused as any other', async () => {
    await withProxy(
      (_client, connectTo) => connectTo(0),
      async (proxy, asked) => {
        await withRelays({ firstVia: { proxy, pool: true } }, async ({ first, send }) => {
          for (let i = 0; i < 3; i++) expect(toldOutcome(await send())).toBe('delivered by first');
          expect(asked).toEqual([`127.0.0.1:${String(first.port)}`]);
          expect(first.connections).toBe(1);
        });
      },
    );
  });

  it('a greeting that comes in one packet with the answer of the proxy is not lost', async () => {
    await withProxy(
      (client) => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n220 hi\r\n');
        const answers = ['250 x', '250 ok', '250 ok', '354 go', '250 2.0.0 queued'];
        client.on('data', (chunk: Buffer) => {
          if (/^(EHLO|MAIL|RCPT|DATA)|\.\r\n$/.test(chunk.toString()))
            client.write(`${answers.shift() ?? '221 bye'}\r\n`);
        });
      },
      async (proxy) => {
        await withRelays({ firstVia: { proxy, greetingTimeout: 500 } }, async ({ send }) => {
          expect(toldOutcome(await send())).toBe('delivered by first');
        });
      },
    );
  });

  it('TLS goes through it, STARTTLS and implicit', async () => {
    const { private: key, cert } = await generate([{ name: 'commonName', value: 'relay.test' }]);
    for (const secure of [false, true]) {
      await withProxy(
        (_client, connectTo) => connectTo(0),
        async (proxy) => {
          const firstVia = { proxy, secure, tls: { rejectUnauthorized: false }, greetingTimeout: 500 };
          await withRelays({ first: { tls: { key, cert }, secure }, firstVia }, async ({ first, send }) => {
            expect(toldOutcome(await send())).toBe('delivered by first');
            expect(first.messages[0]!.secure).toBe(true);
          });
        },
      );
    }
  });

  test.each<[string, (socket: Socket) => void, Partial<SmtpVia>]>([
    ['refuses', (socket) => socket.end('HTTP/1.1 403 Forbidden\r\n\r\n'), {}],
    ['hangs up', (socket) => socket.end(), { connectionTimeout: 80 }],
    ['says nothing', () => undefined, { connectionTimeout: 80 }],
  ])('one that %s is a fault of the relay, before anything was sent', async (_what, behave, limits) => {
    await withProxy(behave, async (proxy) => {
      await withRelays({ firstVia: { proxy, ...limits } }, async ({ send }) => {
        const outcome = await send();
        expect(outcome.attempts.map(toldAttempt)).toEqual(['lost at connect: next-relay, cool', 'delivered']);
      });
    });
  });

  test.each<[string, object]>([
    ['the limit of the attempt', { attemptTimeoutMs: 250 }],
    ['the limit of the delivery', { deadlineMs: 60 }],
  ])('one that says nothing is given up at %s, and nothing is thought delivered', async (_what, deliverer) => {
    await withProxy(
      () => undefined,
      async (proxy) => {
        await withRelays({ firstVia: { proxy }, deliverer }, async ({ send }) => {
          const outcome = await send();
          expect(['delivered', 'queue-for-later']).toContain(outcome.recipients[0]!.status);
          expect(outcome.attempts[0]!.phase).toBe('connect');
        });
      },
    );
  });

  it('nobody listens there: the next relay', async () => {
    await withRelays({ firstVia: { proxy: 'http://127.0.0.1:1' } }, async ({ send }) => {
      const outcome = await send();
      expect(outcome.attempts.map(toldAttempt)).toEqual(['lost at connect: next-relay, cool', 'delivered']);
      expect(outcome.attempts[0]!.failure).toMatchObject({ code: 'ECONNREFUSED' });
    });
  });
});

it('a name that does not exist is a fault of the relay', async () => {
  await withRelays({ firstVia: { host: 'no-such-host.invalid' } }, async ({ send }) => {
    const outcome = await send();
    expect(outcome.attempts.map(toldAttempt)).toEqual(['lost at connect: next-relay, cool', 'delivered']);
    expect(outcome.attempts[0]!.failure).toMatchObject({ code: expect.stringMatching(/^E(NOTFOUND|DNS|AI_AGAIN)$/) });
  });
});

it('a server that hangs up on TCP level before a word is a fault of the relay', async () => {
  const rude = await startRawServer((socket) => void socket.resetAndDestroy());
  try {
    await withRelays({ firstVia: { port: rude.port } }, async ({ send }) => {
      expect((await send()).attempts.map(toldAttempt)).toEqual(['lost at connect: next-relay, cool', 'delivered']);
    });
  } finally {
    await rude.close();
  }
});

it('one relay is enough, and two deliverers do not share connections', async () => {
  const server = await startSmtpServer();
  const deliverers = [0, 1].map(
    () =>
      new Deliverer({
        routes: defineRoutes({
          relays: { only: { host: server.host, port: server.port, pool: true } },
          routes: [{ match: 'ALL', tiers: [['only']] }],
        }),
        transport: nodemailerTransport(),
      }),
  );
  for (const deliverer of deliverers)
    await deliverer.deliver({ envelope: { from: SENDER, to: [RECIPIENT] }, message: SHORT });
  expect(server.connections).toBe(2);
  for (const deliverer of deliverers) await deliverer.close();
  await server.until(({ open }) => open === 0);
  await server.close();
});
