import { afterEach, describe, expect, test } from 'vitest';
import {
  selfSignedCertificate,
  startSmtpServer,
  type SmtpServerOptions,
  type SmtpTestServer,
} from 'smtp-routes/testing';
import { runCommand, type RunOptions } from './run-command.js';

const servers: SmtpTestServer[] = [];
afterEach(() => Promise.all(servers.splice(0).map((server) => server.close())));

async function start(options: SmtpServerOptions = {}): Promise<SmtpTestServer> {
  const server = await startSmtpServer(options);
  servers.push(server);
  return server;
}

const other = selfSignedCertificate({ names: ['other.test'] });

const definition = (relays: Readonly<Record<string, object>>): string =>
  JSON.stringify({ relays, routes: [{ match: 'ALL', tiers: [Object.keys(relays)] }] });

const at = ({ host, port }: SmtpTestServer, more: object = {}): object => ({ host, port, ...more });

interface Report {
  readonly ok: boolean;
  readonly relays: {
    relay: string;
    up: boolean;
    why?: string;
    extensions: string[];
    tls?: { daysLeft: number; trusted: boolean };
    ms: number;
  }[];
  readonly notProbed: { relay: string; why: string }[];
}

async function probe(
  input: string,
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<Report & { code: number }> {
  const { code, out, err } = await runCommand(['probe', '-', '--json', ...args], { input, ...options });
  expect(err).toBe('');
  return { ...(JSON.parse(out) as Report), code };
}

describe('what a relay says of itself', () => {
  test('up: extensions, certificate, time; no mail, no credentials, a QUIT', async () => {
    const server = await start({ tls: true, extensions: ['PIPELINING', 'SIZE 1000'], auth: () => true });
    const via = at(server, { tls: { ca: server.certificate }, auth: { user: 'u', pass: 'hunter2' } });
    const { code, relays } = await probe(definition({ a: via }));
    expect(code).toBe(0);
    expect(relays).toMatchObject([
      {
        relay: 'a',
        up: true,
        extensions: ['PIPELINING', 'SIZE 1000', 'AUTH PLAIN LOGIN XOAUTH2'],
        tls: { trusted: true, daysLeft: 29 },
      },
    ]);
    expect(relays[0]!.ms).toBeLessThan(10_000);
    await server.until(({ sessions }) => sessions[0]?.commands.at(-1) === 'QUIT');
    const verbs = server.sessions.flatMap(({ commands }) => commands.map((line) => line.split(' ')[0]));
    expect(verbs).toEqual(['EHLO', 'STARTTLS', 'EHLO', 'QUIT']);
    expect(server.received).toEqual([]);
  });

  test('implicit TLS, and a server that has none', async () => {
    const [secure, plain] = await Promise.all([start({ tls: true, secure: true }), start()]);
    const { code, relays } = await probe(
      definition({ a: at(secure, { secure: true, tls: { rejectUnauthorized: false } }), b: at(plain) }),
    );
    expect(code).toBe(0);
    expect(relays).toMatchObject([{ up: true, tls: { trusted: false } }, { up: true }]);
    expect(relays[1]!.tls).toBeUndefined();
  });

  test.each<[string, SmtpServerOptions, object, RegExp]>([
    ['nobody listens', { script: 'refused' }, {}, /^refuses the connection \(ECONNREFUSED\)$/],
    ['a greeting that refuses', { script: '431@greeting Mail system full' }, {}, /^greets with 431 Mail system full$/],
    ['no EHLO', { script: '502@ehlo no' }, {}, /^refuses EHLO: 502 no$/],
    ['a reset', { script: 'reset@greeting' }, {}, /ECONNRESET|closes/],
    ['a close', { script: 'close@ehlo' }, {}, /^closes the connection$/],
    ['no SMTP at all', { script: 'raw@greeting HTTP/1.1 400 Bad Request\r\n' }, {}, /^does not speak SMTP$/],
    ['a flood', { script: 'flood@greeting 220-again' }, {}, /^talks without end$/],
    ['no STARTTLS where it is required', {}, { requireTLS: true }, /^does not offer STARTTLS/],
    ['STARTTLS that is refused', { tls: true, script: '454@starttls no' }, {}, /^refuses STARTTLS: 454 no$/],
    ['STARTTLS that is no TLS', { tls: true, script: 'lost@starttls ETLS' }, {}, /\S/],
    ['a certificate that nobody knows', { tls: true }, {}, /^certificate: self-signed, and not among those trusted$/],
    ['a certificate that has expired', { tls: selfSignedCertificate({ days: -2 }) }, {}, /^certificate: has expired$/],
    [
      'a certificate for another name',
      { tls: other },
      { tls: { ca: other.cert } },
      /^certificate: is for another name$/,
    ],
    ['silence', { script: 'stall@greeting' }, {}, /^no answer within 1 s$/],
  ])('down: %s', async (_name, options, via, why) => {
    const server = await start(options);
    const { code, ok, relays } = await probe(definition({ a: at(server, via) }), ['--timeout', '1']);
    expect({ code, ok }).toEqual({ code: 1, ok: false });
    expect(relays[0]).toMatchObject({ up: false, why: expect.stringMatching(why) as string });
  });

  test('days left of a certificate count down by the clock, and an expired one is below 0', async () => {
    const server = await start({ tls: selfSignedCertificate({ days: -2 }) });
    const { relays } = await probe(definition({ a: at(server) }));
    expect(relays[0]!.tls!.daysLeft).toBeLessThan(0);
  });
});

test('a table on a terminal, with progress that is wiped away', async () => {
  const [up, down] = await Promise.all([start(), start({ script: 'refused' })]);
  const input = definition({ good: at(up), bad: at(down) });
  const piped = await runCommand(['probe', '-'], { input });
  expect(piped.err).toBe('');
  expect(piped.out).toMatch(
    /^ {2}up {4}good +127\.0\.0\.1:\d+ +\d+ ms {2}no TLS; PIPELINING, 8BITMIME, ENHANCEDSTATUSCODES$/m,
  );
  expect(piped.out).toMatch(/^ {2}down {2}bad +127\.0\.0\.1:\d+ +\d+ ms {2}refuses the connection \(ECONNREFUSED\)$/m);
  expect(piped.out).toMatch(/\n1 of 2 relays up\n$/);
  const { err } = await runCommand(['probe', '-'], { input, terminal: true });
  expect(err).toContain('probing: 1 of 2 relays');
  expect(err.endsWith('\r\u001b[K')).toBe(true);
});

test('only the relays of the given domains, and their MX where there is DNS', async () => {
  const [one, two] = await Promise.all([start(), start()]);
  const input = JSON.stringify({
    relays: { one: at(one), two: { ...at(two), host: 'exchanges.test', lookup: 'mx' } },
    routes: [
      { match: 'one.test', tiers: [['one']] },
      { match: 'two.test', tiers: [['two']] },
    ],
  });
  expect((await probe(input, ['one.test'])).relays.map(({ relay }) => relay)).toEqual(['one']);
  const asked: string[] = [];
  const dns = {
    exchanges: (domain: string) => {
      asked.push(domain);
      return Promise.resolve({ tiers: [[{ name: 'mx.test', addresses: ['127.0.0.1'] }]] });
    },
  };
  const { relays } = await probe(input, ['user@two.test'], { dns });
  expect(asked).toEqual(['exchanges.test']);
  expect(relays).toMatchObject([{ relay: 'mx.test (MX of exchanges.test)', host: '127.0.0.1', up: true }]);
  expect(await probe(input, ['elsewhere.test'])).toMatchObject({
    code: 1,
    relays: [],
    notProbed: [{ relay: 'MX of elsewhere.test' }],
  });
  expect(await runCommand(['probe', '-', 'no domain'], { input })).toMatchObject({ code: 2 });
});
