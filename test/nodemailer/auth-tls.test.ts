import { inspect } from 'node:util';
import { generate } from 'selfsigned';
import { mailLog, type SmtpVia } from 'smtp-routes';
import type { SmtpServerOptions } from 'smtp-routes/testing';
import { afterEach, beforeEach, describe, expect, it, test, vi } from 'vitest';
import { toldAttempt, toldOutcome } from './told.js';
import { SECRETS, secretsIn } from './secrets.js';
import { withRelays, type Relays } from './two-relays.js';

const { private: key, cert } = await generate([{ name: 'commonName', value: 'relay.test' }], {
  extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'relay.test' }] }],
});
const TLS = { key, cert };

const RIGHT = { user: 'ada', pass: SECRETS.password };

function knows(user: string, pass: string): NonNullable<SmtpServerOptions['auth']> {
  return (gotUser, gotPass) => gotUser === user && gotPass === pass;
}

function authLine({ first }: Relays): string {
  return first.sessions[0]!.commands.find((line) => line.startsWith('AUTH'))!
    .split(' ')
    .slice(0, 2)
    .join(' ');
}

/** Whatever a user can see of a delivery. */
function everythingSeen(relays: Relays, outcome: unknown): string {
  const log = mailLog();
  return [
    JSON.stringify(outcome),
    JSON.stringify(relays.events.events),
    JSON.stringify(relays.deliverer.health()),
    ...relays.events.events.flatMap(log),
    ...[outcome, relays.deliverer, relays.events.events].map((value) =>
      inspect(value, { depth: Infinity, showHidden: true }),
    ),
  ].join('\n');
}

describe('authentication', () => {
  test.each<[string, Partial<SmtpVia>]>([
    ['AUTH PLAIN', { auth: RIGHT }],
    ['AUTH LOGIN', { auth: RIGHT, authMethod: 'LOGIN' }],
    ['AUTH LOGIN', { auth: { ...RIGHT, method: 'login' } }],
    ['AUTH PLAIN', { auth: { type: 'login', ...RIGHT } }],
    ['AUTH XOAUTH2', { auth: { type: 'OAuth2', user: 'ada', accessToken: SECRETS.password } }],
  ])('with %s: %j', async (line, firstVia) => {
    await withRelays({ first: { auth: knows('ada', SECRETS.password) }, firstVia }, async (relays) => {
      const outcome = await relays.send();
      expect(toldOutcome(outcome)).toBe('delivered by first');
      expect(authLine(relays)).toBe(line);
      expect(relays.first.messages[0]!.user).toBe('ada');
      expect(secretsIn(everythingSeen(relays, outcome))).toEqual([]);
    });
  });

  it('one OAuth2 token serves all connections', async () => {
    const provisionCallback = vi.fn(
      (_user: string, _renew: boolean, done: (error: null, token: string, expires: number) => void) => {
        setImmediate(() => done(null, SECRETS.token, Date.now() + 3_600_000));
      },
    );
    const firstVia = { auth: { type: 'OAuth2', user: 'ada', provisionCallback } };
    await withRelays({ first: { auth: knows('ada', SECRETS.token) }, firstVia }, async (relays) => {
      await relays.send();
      for (let i = 0; i < 3; i++) expect(toldOutcome(await relays.send())).toBe('delivered by first');
      expect(relays.first.connections).toBe(4);
      expect(provisionCallback).toHaveBeenCalledTimes(1);
    });
  });

  it('an OAuth2 token that is refused is fetched again, once', async () => {
    const tokens = ['stale', SECRETS.token];
    const provisionCallback = vi.fn(
      (_user: string, _renew: boolean, done: (error: null, token: string, expires: number) => void) => {
        done(null, tokens.shift()!, Date.now() + 3_600_000);
      },
    );
    const firstVia = { auth: { type: 'OAuth2', user: 'ada', provisionCallback } };
    await withRelays({ first: { auth: knows('ada', SECRETS.token) }, firstVia }, async ({ send }) => {
      expect(toldOutcome(await send())).toBe('delivered by first');
      expect(provisionCallback).toHaveBeenCalledTimes(2);
      expect(provisionCallback.mock.calls[1]![1]).toBe(true);
    });
  });

  it('an OAuth2 token that cannot be had is a fault of the relay', async () => {
    const provisionCallback = (_user: string, _renew: boolean, done: (error: Error) => void): void =>
      done(new Error('no token today'));
    const firstVia = { auth: { type: 'OAuth2', user: 'ada', provisionCallback } };
    await withRelays({ first: { auth: () => true }, firstVia }, async ({ send }) => {
      const outcome = await send();
      expect(outcome.attempts.map(toldAttempt)).toEqual(['lost at session: next-relay, cool', 'delivered']);
      expect(outcome.attempts[0]!.failure).toMatchObject({
        code: expect.stringMatching(/^E(AUTH|OAUTH2)$/),
        message: expect.stringContaining('no token today'),
      });
    });
  });

  describe.each(['next', 'none'])('where it fails, and the %s relay is left', (left) => {
    const REPLY = 'reply 535 at session: next-relay, cool';
    test.each<[string, Partial<SmtpVia>, SmtpServerOptions, string]>([
      ['a wrong password', { auth: { ...RIGHT, pass: SECRETS.wrong } }, { auth: knows('ada', 'x') }, REPLY],
      [
        'a wrong password to LOGIN',
        { auth: { ...RIGHT, pass: SECRETS.wrong }, authMethod: 'LOGIN' },
        { auth: knows('ada', 'x') },
        REPLY,
      ],
      [
        'a wrong token',
        { auth: { type: 'OAuth2', user: 'ada', accessToken: SECRETS.wrong } },
        { auth: knows('ada', 'x') },
        REPLY,
      ],
      ['no password', { auth: { user: 'ada' } }, { auth: () => true }, 'lost at session: next-relay, cool'],
      ['AUTH not offered', { auth: RIGHT }, {}, 'lost at session: next-relay, cool'],
      [
        'AUTH temporarily refused',
        { auth: RIGHT },
        { auth: () => true, script: '454@auth 4.7.0 later' },
        'reply 454 at session: next-relay, cool',
      ],
      [
        'a server that hangs up',
        { auth: RIGHT },
        { auth: () => true, script: 'close@auth' },
        'lost at session: next-relay, cool',
      ],
      [
        'a server that resets',
        { auth: RIGHT },
        { auth: () => true, script: 'reset@auth' },
        'lost at session: next-relay, cool',
      ],
      [
        'a server that wants it and was told nothing',
        {},
        { auth: () => true },
        'reply 530 at envelope: next-relay, cool',
      ],
    ])('%s never rejects mail', async (_what, firstVia, first, attempt) => {
      await withRelays(
        { first, firstVia, ...(left === 'none' && { second: { script: 'refused' } }) },
        async (relays) => {
          const outcome = await relays.send();
          expect(toldAttempt(outcome.attempts[0]!)).toBe(attempt);
          expect(outcome.recipients[0]!.status).toBe(left === 'none' ? 'queue-for-later' : 'delivered');
          expect(relays.first.received).toEqual([]);
          expect(secretsIn(everythingSeen(relays, outcome))).toEqual([]);
        },
      );
    });
  });

  it('a server that quotes the credentials back in its refusal is not quoted with them', async () => {
    const script = (at: { stage: string; line: string }): string | undefined =>
      at.stage === 'auth' ? `535@auth 5.7.8 cannot accept ${at.line}` : undefined;
    await withRelays({ first: { auth: () => true, script }, firstVia: { auth: RIGHT } }, async (relays) => {
      const outcome = await relays.send();
      expect(toldAttempt(outcome.attempts[0]!)).toBe('reply 535 at session: next-relay, cool');
      expect(secretsIn(everythingSeen(relays, outcome))).toEqual([]);
    });
  });
});

describe('encryption', () => {
  const untrusted = { tls: { rejectUnauthorized: false } };
  const trusted = { tls: { ca: cert } };

  test.each<[string, SmtpServerOptions, Partial<SmtpVia>]>([
    ['STARTTLS, because it is offered', { tls: TLS }, untrusted],
    ['STARTTLS, because it is required', { tls: TLS }, { ...untrusted, requireTLS: true }],
    ['implicit TLS', { tls: TLS, secure: true }, { ...untrusted, secure: true }],
    [
      'a verified certificate: STARTTLS to an address, for the server name',
      { tls: TLS },
      { ...trusted, servername: 'relay.test', requireTLS: true },
    ],
    [
      'a verified certificate: implicit TLS to an address, for the server name',
      { tls: TLS, secure: true },
      { ...trusted, servername: 'relay.test', secure: true },
    ],
    [
      'a verified certificate: implicit TLS, for tls.servername',
      { tls: TLS, secure: true },
      { tls: { ca: cert, servername: 'relay.test' }, secure: true },
    ],
    [
      'a verified certificate: implicit TLS to a host name, for the server name',
      { tls: TLS, secure: true },
      { ...trusted, host: 'localhost', servername: 'relay.test', secure: true },
    ],
  ])('%s', async (_what, first, firstVia) => {
    await withRelays({ first, firstVia }, async ({ first: server, send, events }) => {
      const outcome = await send();
      expect(outcome.attempts.map((attempt) => attempt.failure)).toEqual([undefined]);
      expect(server.messages[0]!.secure).toBe(true);
      const [opened] = events.ofType('connection-opened');
      expect(opened!.tls).toEqual({ protocol: 'TLSv1.3', cipher: expect.stringMatching(/^TLS_/) });
      const lines = events.events.flatMap(mailLog());
      expect(lines.filter((line) => line.includes(' TLS '))).toEqual([
        expect.stringMatching(/Info: DCID \d+ TLS success protocol TLSv1\.3 cipher TLS_\w+$/),
      ]);
    });
  });

  it('a second relay on the same host is verified for its own server name, not for that of the first', async () => {
    const via = { host: 'localhost', secure: true, tls: { ca: cert } };
    const server = { tls: TLS, secure: true };
    await withRelays(
      { first: server, second: server, via, firstVia: { servername: 'relay.test' } },
      async ({ send, first }) => {
        expect(toldOutcome(await send())).toBe('delivered by first');
        first.refuse();
        const outcome = await send();
        expect(outcome.attempts.at(-1)!.relay).toBe('second');
        expect(toldOutcome(outcome)).toBe('queue-for-later: lost');
      },
    );
  });

  const UNTRUSTED = 'DEPTH_ZERO_SELF_SIGNED_CERT';
  const WRONG_NAME = 'ERR_TLS_CERT_ALTNAME_INVALID';
  test.each<[string, SmtpServerOptions, Partial<SmtpVia>, string, string]>([
    ['a certificate that nobody vouches for', { tls: TLS }, {}, 'session', UNTRUSTED],
    ['the same with implicit TLS', { tls: TLS, secure: true }, { secure: true }, 'connect', UNTRUSTED],
    ['a certificate for another name', { tls: TLS }, { ...trusted, servername: 'other.test' }, 'session', WRONG_NAME],
    [
      'the same with implicit TLS',
      { tls: TLS, secure: true },
      { ...trusted, servername: 'other.test', secure: true },
      'connect',
      WRONG_NAME,
    ],
    [
      'the same with a host name',
      { tls: TLS, secure: true },
      { ...trusted, host: 'localhost', servername: 'other.test', secure: true },
      'connect',
      WRONG_NAME,
    ],
  ])('%s is a fault of the relay, and is named', async (_what, first, firstVia, phase, code) => {
    await withRelays({ first, firstVia }, async (relays) => {
      const outcome = await relays.send();
      expect(outcome.attempts.map(toldAttempt)).toEqual([`lost at ${phase}: next-relay, cool`, 'delivered']);
      expect(outcome.attempts[0]!.failure).toMatchObject({ code });
      expect(relays.first.received).toEqual([]);
    });
  });

  test.each<[string, SmtpServerOptions, Partial<SmtpVia>, string]>([
    ['STARTTLS required and not offered', {}, { requireTLS: true }, 'session: next-relay, cool'],
    [
      'STARTTLS refused',
      { tls: TLS, script: '454@starttls 4.7.0 not now' },
      untrusted,
      'reply 454 at session: next-relay, cool',
    ],
    [
      'a handshake that fails',
      { tls: TLS, script: 'lost@starttls ETLS' },
      untrusted,
      'lost at session: next-relay, cool',
    ],
    [
      'implicit TLS to a server that speaks none',
      {},
      { ...untrusted, secure: true, connectionTimeout: 100, greetingTimeout: 100 },
      'lost at connect: next-relay, cool',
    ],
    [
      'no TLS to a server that wants it at once',
      { tls: TLS, secure: true },
      { greetingTimeout: 100 },
      'lost at connect: next-relay, cool',
    ],
  ])('%s is a fault of the relay', async (_what, first, firstVia, told) => {
    await withRelays({ first, firstVia }, async (relays) => {
      const outcome = await relays.send();
      expect(toldAttempt(outcome.attempts[0]!)).toContain(told);
      expect(toldOutcome(outcome)).toBe('delivered by second');
      expect(relays.first.received).toEqual([]);
      relays.first.drop();
    });
  });

  it('ignoreTLS leaves it', async () => {
    await withRelays({ first: { tls: TLS }, firstVia: { ignoreTLS: true } }, async ({ first, send, events }) => {
      expect(toldOutcome(await send())).toBe('delivered by first');
      expect(first.messages[0]!.secure).toBe(false);
      expect(events.ofType('connection-opened')[0]!.tls).toBeUndefined();
    });
  });

  it('credentials go over the encrypted connection only', async () => {
    const first = { tls: TLS, auth: knows('ada', SECRETS.password) };
    await withRelays({ first, firstVia: { ...untrusted, auth: RIGHT } }, async (relays) => {
      expect(toldOutcome(await relays.send())).toBe('delivered by first');
      const commands = relays.first.sessions[0]!.commands.slice(0, 7);
      expect(commands.map((line) => line.split(' ')[0])).toEqual([
        'EHLO',
        'STARTTLS',
        'EHLO',
        'AUTH',
        'MAIL',
        'RCPT',
        'DATA',
      ]);
    });
  });
});

describe('under debug', () => {
  const said: string[] = [];
  beforeEach(async () => {
    const { default: debug } = await import('debug');
    debug.enable('smtp-routes:*');
    vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => said.push(String(chunk)) > 0);
  });
  afterEach(async () => {
    const { default: debug } = await import('debug');
    debug.disable();
    vi.restoreAllMocks();
    said.length = 0;
  });

  it('much is said, and no secret', async () => {
    await withRelays({ first: { auth: knows('ada', 'x') }, firstVia: { auth: RIGHT } }, async ({ send }) => {
      expect(toldOutcome(await send())).toBe('delivered by second');
    });
    expect(said.join('')).toContain('Connection Error');
    expect(secretsIn(said.join(''))).toEqual([]);
  });
});
