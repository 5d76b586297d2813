/**
 * The server against nodemailer, the client it was made for: TLS, authentication, phases, and the
 * bytes of messages.
 */
import nodemailer from 'nodemailer';
import { generate } from 'selfsigned';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Script } from '../../src/testing/scripted-sessions.js';
import { startSmtpServer } from '../../src/testing/smtp-server.js';
import type { SmtpTestServer } from '../../src/testing/smtp-server.js';
import type { SmtpServerOptions } from '../../src/testing/smtp-server-options.js';

let tls: { key: string; cert: string };

beforeAll(async () => {
  const pems = await generate([{ name: 'commonName', value: 'mail.example.test' }], { keySize: 2048 });
  tls = { key: pems.private, cert: pems.cert };
});

const open: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function start(script: Script = '250', options: SmtpServerOptions = {}): Promise<SmtpTestServer> {
  const server = await startSmtpServer({ script, ...options });
  open.push(server);
  return server;
}

const MAIL = {
  envelope: { from: 'from@example.net', to: ['u1@example.com', 'u2@example.com'] },
  raw: 'Subject: x\r\n\r\n.dot first\r\nlast\r\n',
};

type Sent = { code?: string; responseCode?: number; command?: string; rejected?: string[]; response?: string };

/** Sends one message and answers what nodemailer says of it, failed or not. */
async function send(server: SmtpTestServer, options: object = {}): Promise<Sent> {
  const transport = nodemailer.createTransport({
    host: server.host,
    port: server.port,
    tls: { rejectUnauthorized: false },
    ...options,
  } as object);
  open.push(transport);
  return (await transport.sendMail(MAIL).catch((error: unknown) => error)) as Sent;
}

function outcome(sent: Sent): string {
  const { code = 'no code', responseCode, command, response } = sent;
  return sent instanceof Error ? `${code} ${String(responseCode ?? '-')} ${command ?? '-'}` : `sent: ${response ?? ''}`;
}

const { version } = nodemailer.createTransport({}).transporter as { version: string };

/** nodemailer 8 and 9 send DATA by itself, and have no code for a server that hangs up on them. */
const isOld = Number.parseInt(version, 10) < 10;

describe.each([
  ['pipelining', undefined],
  ['no pipelining', ['8BITMIME']],
])('%s', (name, extensions) => {
  const options: SmtpServerOptions = extensions ? { extensions } : {};

  test('a message arrives as it was', async () => {
    const server = await start('250 2.0.0 queued as 7', options);
    expect(outcome(await send(server))).toBe('sent: 250 2.0.0 queued as 7');
    expect(server.messages).toMatchObject([{ from: 'from@example.net', to: MAIL.envelope.to, connection: 1 }]);
    expect(server.messages[0]?.data.toString()).toBe(MAIL.raw);
    expect(server.sessions[0]?.pipelined).toBe(name === 'pipelining' && !isOld);
  });

  test.each([
    ['greeting', 'EPROTOCOL 451 CONN', isOld ? 'no code - -' : 'ECONNECTION - CONN'],
    ['mail', 'EENVELOPE 451 MAIL FROM', 'ECONNECTION - CONN'],
    ['rcpt', 'EENVELOPE 451 RCPT TO', 'ECONNECTION - CONN'],
    ['data', 'EENVELOPE 451 DATA', 'ECONNECTION - CONN'],
    ['final-reply', 'EMESSAGE 451 DATA', 'ECONNECTION - CONN'],
  ])('at %s: a reply, a close, a reset, a stall', async (stage, replied, lost) => {
    const server = await start([`451@${stage} no`, `close@${stage}`, `reset@${stage}`, `stall@${stage}`], options);
    expect(outcome(await send(server))).toBe(replied);
    expect(outcome(await send(server))).toBe(lost);
    expect(outcome(await send(server))).toMatch(/^(ESOCKET|ECONNECTION|ECONNRESET) /);
    // Long enough for the 40 ms that Nagle's algorithm costs nodemailer 8 and 9.
    expect(outcome(await send(server, { socketTimeout: 150, greetingTimeout: 30 }))).toMatch(/^ETIMEDOUT /);
    expect([server.received.length, server.messages.length]).toEqual([stage === 'final-reply' ? 4 : 0, 0]);
    server.assertExhausted();
  });

  test('a refused recipient', async () => {
    const server = await start('550@rcpt(u1@example.com) no such user', options);
    expect((await send(server)).rejected).toEqual(['u1@example.com']);
    expect(server.messages[0]?.to).toEqual(['u2@example.com']);
  });

  test('EHLO refused, HELO taken', async () => {
    const server = await start('502@ehlo(1)', options);
    expect(outcome(await send(server))).toMatch(/^sent/);
    expect(server.sessions[0]?.commands.slice(0, 2).map((line) => line.slice(0, 4))).toEqual(['EHLO', 'HELO']);
  });
});

describe('TLS', () => {
  test('STARTTLS is offered and used', async () => {
    const server = await start('250', { tls });
    expect(outcome(await send(server, { requireTLS: true }))).toMatch(/^sent/);
    expect(server.messages[0]?.secure).toBe(true);
    expect(server.sessions[0]?.commands.map((line) => line.slice(0, 4)).slice(0, 4)).toEqual([
      'EHLO',
      'STAR',
      'EHLO',
      'MAIL',
    ]);
  });

  test('a certificate that does not verify', async () => {
    const server = await start('250', { tls });
    expect(outcome(await send(server, { requireTLS: true, tls: {} }))).toMatch(/^(ESOCKET|ETLS) /);
    await server.until((one) => one.open === 0);
  });

  test('from the first byte', async () => {
    const server = await start('250', { tls, secure: true });
    expect(outcome(await send(server, { secure: true }))).toMatch(/^sent/);
    expect(server.messages[0]?.secure).toBe(true);
  });

  test.each([false, true])('a script goes on under TLS (implicit: %s)', async (secure) => {
    const server = await start(['451@final-reply', 'reset@data', 'close@final-reply', 'stall@mail'], { tls, secure });
    const options = { secure, requireTLS: !secure, socketTimeout: 50 };
    expect(outcome(await send(server, options))).toBe('EMESSAGE 451 DATA');
    expect(outcome(await send(server, options))).toMatch(/^(ESOCKET|ECONNECTION|ECONNRESET) /);
    expect(outcome(await send(server, options))).toBe('ECONNECTION - CONN');
    expect(outcome(await send(server, options))).toMatch(/^ETIMEDOUT /);
    await server.until((one) => one.open === 0);
  });

  test('STARTTLS refused, cut off, broken', async () => {
    const script = ['454@starttls not now', 'close@starttls', 'lost@starttls ETLS'];
    const server = await start(script, { tls });
    expect(outcome(await send(server, { requireTLS: true }))).toMatch(/^ETLS 454 STARTTLS/);
    expect(outcome(await send(server, { requireTLS: true }))).toBe('ECONNECTION - CONN');
    expect(outcome(await send(server, { requireTLS: true }))).toMatch(/^(ESOCKET|ETLS) /);
  });
});

describe('AUTH', () => {
  const auth = (user: string, pass: string, mechanism: string): boolean =>
    user === 'me' && pass === (mechanism === 'XOAUTH2' ? 'token' : 'secret');

  test.each(['PLAIN', 'LOGIN'])('%s', async (authMethod) => {
    const server = await start('250', { auth });
    expect(outcome(await send(server, { authMethod, auth: { user: 'me', pass: 'secret' } }))).toMatch(/^sent/);
    expect(server.messages[0]?.user).toBe('me');
    expect(outcome(await send(server, { authMethod, auth: { user: 'me', pass: 'wrong' } }))).toBe(
      `EAUTH 535 AUTH ${authMethod}`,
    );
    expect(outcome(await send(server))).toBe('EENVELOPE 530 MAIL FROM');
  });

  test('XOAUTH2', async () => {
    const server = await start('250', { auth });
    const oauth = (accessToken: string): object => ({ auth: { type: 'OAuth2', user: 'me', accessToken } });
    expect(outcome(await send(server, oauth('token')))).toMatch(/^sent/);
    expect(outcome(await send(server, oauth('stale')))).toMatch(/^EAUTH /);
  });

  test('without a judge any credentials will do, and the script may refuse them', async () => {
    const server = await start(['535@auth no', '250'], { extensions: ['AUTH PLAIN'] });
    const options = { auth: { user: 'x', pass: 'y' } };
    expect(outcome(await send(server, options))).toBe('EAUTH 535 AUTH PLAIN');
    expect(outcome(await send(server, options))).toMatch(/^sent/);
  });
});

test('a pooled connection that the server closed while it was idle', async () => {
  const server = await start('250');
  const transport = nodemailer.createTransport({
    host: server.host,
    port: server.port,
    pool: true,
    maxConnections: 1,
  } as object);
  open.push(transport);
  await transport.sendMail(MAIL);
  await server.until(({ sessions }) => sessions[0]?.messages === 1);
  server.closeIdle('421 4.4.2 idle too long');
  await server.until((one) => one.open === 0);
  await transport.sendMail(MAIL);
  expect([server.connections, server.messages.length]).toEqual([2, 2]);
});

test('many servers and many messages at once', async () => {
  const servers = await Promise.all(Array.from({ length: 5 }, () => start('250', { keep: 'counts' })));
  const pools = servers.map(({ host, port }) =>
    nodemailer.createTransport({ host, port, pool: true, maxMessages: Infinity } as object),
  );
  open.push(...pools);
  await Promise.all(pools.flatMap((pool) => Array.from({ length: 100 }, () => pool.sendMail(MAIL))));
  expect(servers.map(({ accepted }) => accepted)).toEqual([100, 100, 100, 100, 100]);
});
