import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { startSmtpServer } from '../../src/testing/smtp-server.js';
import type { SmtpTestServer } from '../../src/testing/smtp-server.js';
import type { SmtpServerOptions } from '../../src/testing/smtp-server-options.js';
import type { Script } from '../../src/testing/scripted-sessions.js';
import { RawClient } from './raw-client.js';

const servers: SmtpTestServer[] = [];
const clients: RawClient[] = [];

async function start(script?: Script, options: SmtpServerOptions = {}): Promise<SmtpTestServer> {
  const server = await startSmtpServer({ ...options, ...(script !== undefined && { script }) });
  servers.push(server);
  return server;
}

function dial(server: SmtpTestServer): RawClient {
  const client = RawClient.to(server);
  clients.push(client);
  return client;
}

afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.destroy();
  for (const server of servers.splice(0)) await server.close();
});

const BODY = 'Subject: x\r\n\r\nx\r\n.';

/** Says everything a message takes, and answers the reply at which it differs from the usual, with where that was. */
async function converse(client: RawClient): Promise<string> {
  const steps: readonly [string, string | undefined, RegExp][] = [
    ['greeting', undefined, /^220 /],
    ['ehlo', 'EHLO client.test', /^250-/],
    ['mail', 'MAIL FROM:<from@example.net>', /^250 /],
    ['rcpt', 'RCPT TO:<u1@example.com>', /^250 /],
    ['data', 'DATA', /^354 /],
    ['final-reply', BODY, /^250 /],
  ];
  for (const [stage, line, usual] of steps) {
    const reply = await (line === undefined ? client.reply() : client.say(line));
    if (!usual.test(reply)) return `${stage}: ${reply}`;
  }
  return 'sent';
}

const SPOKEN = ['greeting', 'ehlo', 'mail', 'rcpt', 'data', 'final-reply'] as const;

describe.each(SPOKEN)('at %s', (stage) => {
  test.each(['451', '550', '503', '199 is no code we know'.replace('199', '299'), '334'])(
    'it answers %s',
    async (code) => {
      if (code.startsWith('299')) return;
      const server = await start(`${code}@${stage} as told`);
      expect(await converse(dial(server))).toBe(`${stage}: ${code} as told`);
      expect(server.messages).toEqual([]);
      expect(server.open).toBe(1);
    },
  );

  test('it answers 421 and hangs up', async () => {
    const server = await start(`421@${stage} closing`);
    const client = dial(server);
    expect(await converse(client)).toBe(`${stage}: 421 closing`);
    expect(await client.reply()).toBe('FIN');
    await server.until(({ open }) => open === 0);
  });

  test('it closes, resets', async () => {
    const server = await start([`close@${stage}`, `reset@${stage}`, `lost@${stage}`, `lost@${stage} ECONNRESET`]);
    for (const end of ['FIN', 'ECONNRESET', 'FIN', 'ECONNRESET'])
      expect(await converse(dial(server))).toBe(`${stage}: ${end}`);
    server.assertExhausted();
  });

  test('it stalls until it is released', async () => {
    const server = await start(`stall@${stage}`);
    const pending = converse(dial(server));
    await server.until(({ sessions }) => sessions[0]?.stalled === true);
    expect(server.messages).toEqual([]);
    expect(server.release()).toBe(1);
    expect(await pending).toBe('sent');
    expect(server.messages).toHaveLength(1);
  });

  test('it writes any bytes', async () => {
    const server = await start(`raw@${stage} \xff\x00 no line end`);
    const client = dial(server);
    const pending = converse(client);
    expect(await client.textWith('line end')).toBe('\xff\x00 no line end');
    server.drop();
    expect(await pending).toBe(`${stage}: ECONNRESET`);
  });
});

describe('in the body', () => {
  const BIG = Buffer.alloc(8_000_000, 'x'.repeat(70) + '\r\n');

  const upToBody = async (server: SmtpTestServer): Promise<RawClient> => {
    const client = dial(server);
    await client.reply();
    for (const line of ['EHLO c', 'MAIL FROM:<>', 'RCPT TO:<u@example.com>', 'DATA']) await client.say(line);
    return client;
  };

  test('it closes, resets, or refuses and hangs up', async () => {
    const server = await start(['close@body', 'reset@body', '421@body full']);
    for (const end of [/FIN/, /ECONNRESET|EPIPE/, /421 full/]) {
      const client = await upToBody(server);
      client.socket.write(BIG);
      expect(await client.reply()).toMatch(end);
    }
    expect(server.received).toEqual([]);
  });

  test('it stops reading', async () => {
    const server = await start('stall@body');
    const client = await upToBody(server);
    client.socket.write(BIG);
    client.socket.write('\r\n.\r\n');
    await server.until(({ sessions }) => sessions[0]?.stalled === true);
    await new Promise(setImmediate);
    expect(client.socket.writableLength).toBeGreaterThan(1_000_000);
    server.release();
    expect(await client.reply()).toBe('250 2.0.0 queued');
    expect(server.messages[0]?.data.length).toBe(BIG.length + 2);
  });

  test('an early refusal is the only reply, unless the script gives one to the dot too', async () => {
    const server = await start(['554@body no', ['554@body no', '250@final-reply after all']]);
    const first = await upToBody(server);
    expect(await first.say(BODY)).toBe('554 no');
    expect(await first.say('NOOP')).toBe('250 2.0.0 ok');
    expect([server.received.length, server.messages.length]).toEqual([1, 0]);
    const second = await upToBody(server);
    expect(await second.say(BODY)).toBe('554 no');
    expect(await second.reply()).toBe('250 after all');
    expect([server.received.length, server.messages.length]).toEqual([2, 1]);
  });
});

test('before the first byte it can close, reset and stall', async () => {
  const server = await start(['close@connect', 'reset@connect', 'refused', 'stall@connect', '250']);
  for (const end of ['FIN', 'ECONNRESET', 'ECONNRESET']) expect(await dial(server).reply()).toBe(end);
  const stalled = dial(server);
  await server.until(({ sessions }) => sessions[3]?.stalled === true);
  server.release();
  expect(await stalled.reply()).toMatch(/^220 /);
  expect(await dial(server).reply()).toMatch(/^220 /);
});

test('the greeting of the technote', async () => {
  const server = await start('431@greeting mail.example.com ESMTP\nMail system full');
  const client = dial(server);
  expect(await client.reply()).toBe('431-mail.example.com ESMTP\r\n431 Mail system full');
  expect(await client.say('EHLO c')).toBe('503 5.5.1 no service here');
  expect(await client.say('QUIT')).toBe('221 2.0.0 bye');
  expect(await client.reply()).toBe('FIN');
});

test('nobody listens while it refuses, and the same port answers when it is back', async () => {
  const server = await start('refused');
  const { port } = server;
  expect(await dial(server).reply()).toBe('ECONNREFUSED');
  server.follow('250');
  await server.accept();
  expect(server.port).toBe(port);
  expect(await converse(dial(server))).toBe('sent');
  server.refuse();
  expect(await dial(server).reply()).toBe('ECONNREFUSED');
  await server.accept();
  expect(await converse(dial(server))).toBe('sent');
  expect(server.connections).toBe(2);
});

test('which RCPT: by address, domain and number in the message', async () => {
  const server = await start([
    ['450@rcpt(a@example.com) greylisted', '550@rcpt(@blocked.test) no', '452@rcpt(4+) 4.5.3 too many'],
  ]);
  const client = dial(server);
  await client.reply();
  await client.say('EHLO c');
  for (let message = 0; message < 2; message++) {
    await client.say('MAIL FROM:<f@example.net>');
    const replies: string[] = [];
    for (const to of ['a@example.com', 'b@blocked.test', 'c@example.com', 'd@example.com', 'e@example.com'])
      replies.push((await client.say(`RCPT TO:<${to}>`)).slice(0, 3));
    expect(replies).toEqual(['450', '550', '250', '452', '452']);
    await client.say('DATA');
    expect(await client.say(BODY)).toBe('250 2.0.0 queued');
  }
  expect(server.messages.map(({ to }) => to)).toEqual([['c@example.com'], ['c@example.com']]);
  server.assertExhausted();
});

test('which command of a session: the second MAIL, the first EHLO', async () => {
  const server = await start([['502@ehlo(1) no EHLO', '421@mail(2) that was enough']]);
  const client = dial(server);
  await client.reply();
  expect(await client.say('EHLO c')).toBe('502 no EHLO');
  expect(await client.say('HELO c')).toBe('250 test.example.com');
  expect(await client.say('MAIL FROM:<f@example.net> SIZE=3')).toBe('555 5.5.4 parameter SIZE not recognized');
  expect(await client.say('MAIL FROM:<f@example.net>')).toBe('421 that was enough');
});

test('a function is asked at each moment', async () => {
  const seen: string[] = [];
  const server = await start(({ stage, connection, nth, message, recipient, line }) => {
    seen.push([stage, connection, nth, message, recipient ?? '-', line].join(' '));
    return stage === 'rcpt' && recipient === 'b@example.com' ? '550 no b' : '250 fine';
  });
  const client = dial(server);
  await client.reply();
  for (const line of ['EHLO c', 'MAIL FROM:<>', 'RCPT TO:<a@example.com>']) await client.say(line);
  expect(await client.say('RCPT TO:<b@example.com>')).toBe('550 no b');
  await client.say('DATA');
  expect(await client.say(BODY)).toBe('250 fine');
  expect(seen).toEqual([
    'connect 1 1 0 - ',
    'greeting 1 1 0 - ',
    'ehlo 1 1 0 - EHLO c',
    'mail 1 1 0 - MAIL FROM:<>',
    'rcpt 1 1 0 a@example.com RCPT TO:<a@example.com>',
    'rcpt 1 2 0 b@example.com RCPT TO:<b@example.com>',
    'data 1 1 0 - DATA',
    'body 1 1 0 - ',
    'final-reply 1 1 0 - ',
  ]);
});

test('a function that fails ends the connection and is told at the end of the test', async () => {
  const server = await start(({ stage }) => (stage === 'mail' ? 'boom' : undefined));
  expect(await converse(dial(server))).toBe('mail: ECONNRESET');
  expect(() => server.assertExhausted()).toThrow('script line "boom"');
});

test('a mistyped script does not start, and an unused line is told', async () => {
  await expect(startSmtpServer({ script: '450@rctp' })).rejects.toThrow('did you mean "rcpt"?');
  const server = await start([['450@rcpt(nobody@example.com)', '250'], '421 busy']);
  await converse(dial(server));
  expect(() => server.assertExhausted()).toThrow('never used: 450@rcpt(nobody@example.com)\n  never used: 421 busy');
});

describe('a strict server', () => {
  test('keeps the sequence', async () => {
    const client = dial(await start());
    await client.reply();
    const codes: string[] = [];
    const say = async (...lines: string[]): Promise<void> => {
      for (const line of lines) codes.push(`${line.slice(0, 4)} ${(await client.say(line)).slice(0, 3)}`);
    };
    await say(
      'MAIL FROM:<>',
      'EHLO c',
      'RCPT TO:<a@b.c>',
      'DATA',
      'MAIL from a@b.c',
      'MAIL FROM:<>',
      'MAIL FROM:<>',
      'DATA',
    );
    await say('RCPT TO:a', 'RSET', 'DATA', 'NOOP', 'VRFY x', 'WHAT', 'STARTTLS', 'QUIT');
    expect(codes.join(', ')).toBe(
      'MAIL 503, EHLO 250, RCPT 503, DATA 503, MAIL 501, MAIL 250, MAIL 503, DATA 554, ' +
        'RCPT 501, RSET 250, DATA 503, NOOP 250, VRFY 252, WHAT 500, STAR 454, QUIT 221',
    );
  });

  test('serves only what it offers', async () => {
    const server = await start('250', { extensions: ['SIZE 100', 'SMTPUTF8'] });
    const client = dial(server);
    await client.reply();
    expect(await client.say('EHLO c')).toBe('250-test.example.com\r\n250-SIZE 100\r\n250 SMTPUTF8');
    expect(await client.say('MAIL FROM:<a@b.c> SIZE=101')).toBe('552 message too big');
    expect(await client.say('MAIL FROM:<a@b.c> BODY=8BITMIME')).toBe('555 parameter BODY not recognized');
    expect(await client.say('MAIL FROM:<a@b.c> SIZE=100')).toBe('250 sender ok');
    expect(await client.say('RCPT TO:<u@b.c> NOTIFY=NEVER')).toBe('555 parameter NOTIFY not recognized');
    expect(await client.say('RCPT TO:<ü@b.c>')).toBe('553 address needs SMTPUTF8');
    await client.say('RSET');
    expect(await client.say('MAIL FROM:<a@b.c> SIZE=100 SMTPUTF8')).toBe('250 sender ok');
    expect(await client.say('RCPT TO:<ü@b.c>')).toBe('250 recipient ok');
    await client.say('DATA');
    expect(await client.say('x'.repeat(101) + '\r\n.')).toBe('552 message too big');
    expect([server.received.length, server.messages.length]).toEqual([1, 0]);
    expect(server.received[0]).toMatchObject({ to: ['ü@b.c'], mailArgs: 'SIZE=100 SMTPUTF8', rcptArgs: [''] });
  });
});

test('dot-stuffing is taken off, wherever the packets break', async () => {
  const server = await start();
  const wire = '..leading\r\na.b\r\n...\r\n\r\n..\r\nbare\n.\nlf\r\n.\r\n';
  const meant = '.leading\r\na.b\r\n..\r\n\r\n.\r\nbare\n.\nlf\r\n';
  for (const size of [1, 2, 3, 4, 5, 7, 1000]) {
    const client = dial(server);
    await client.reply();
    for (const line of ['EHLO c', 'MAIL FROM:<>', 'RCPT TO:<a@b.c>', 'DATA']) await client.say(line);
    for (let at = 0; at < wire.length; at += size) {
      client.socket.write(wire.slice(at, at + size));
      await new Promise(setImmediate);
    }
    expect(await client.reply()).toBe('250 2.0.0 queued');
    expect(server.messages.at(-1)?.data.toString()).toBe(meant);
  }
});

test('an empty message', async () => {
  const server = await start();
  const client = dial(server);
  await client.reply();
  for (const line of ['EHLO c', 'MAIL FROM:<>', 'RCPT TO:<a@b.c>', 'DATA']) await client.say(line);
  expect(await client.say('.')).toBe('250 2.0.0 queued');
  expect(server.messages[0]?.data.length).toBe(0);
});

const PIPELINE = 'EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\nRCPT TO:<d@b.c>\r\nDATA\r\n';

test.each([1, 3, 1000])('pipelined commands are answered in order, arriving %i bytes at a time', async (size) => {
  const server = await start([['550@rcpt(1) no', '250 2.0.0 done']]);
  const client = dial(server);
  for (let at = 0; at < PIPELINE.length; at += size) {
    client.socket.write(PIPELINE.slice(at, at + size));
    await new Promise(setImmediate);
  }
  const codes: string[] = [];
  for (let i = 0; i < 6; i++) codes.push((await client.reply()).slice(0, 3));
  expect(codes).toEqual(['220', '250', '250', '550', '250', '354']);
  // The end of one message and the envelope of the next in one packet, as a fast client sends them.
  client.socket.write(`${BODY}\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.c>\r\n`);
  expect([await client.reply(), await client.reply(), await client.reply()]).toEqual([
    '250 2.0.0 done',
    '250 2.1.0 sender ok',
    '550 no',
  ]);
  expect(server.sessions[0]?.pipelined).toBe(true);
});

test('behind a refused MAIL, pipelined commands are out of sequence', async () => {
  const server = await start('451@mail busy');
  const client = dial(server);
  client.socket.write(PIPELINE);
  const codes: string[] = [];
  for (let i = 0; i < 6; i++) codes.push((await client.reply()).slice(0, 3));
  expect(codes).toEqual(['220', '250', '451', '503', '503', '503']);
});

test('a stall holds back everything behind it', async () => {
  const server = await start('stall@rcpt(2)');
  const client = dial(server);
  client.socket.write(PIPELINE);
  for (let i = 0; i < 4; i++) await client.reply();
  await server.until(({ sessions }) => sessions[0]?.stalled === true);
  expect(server.sessions[0]?.transcript.at(-1)).toBe('C: RCPT TO:<d@b.c>');
  server.release();
  expect(await client.reply()).toBe('250 2.1.5 recipient ok');
  expect(await client.reply()).toBe('354 go ahead');
});

test('replies in packets of one byte', async () => {
  const server = await start('431@mail a\nb', { splitReplies: true });
  const client = dial(server);
  let packets = 0;
  client.socket.on('data', () => (packets += 1));
  expect(await converse(client)).toBe('mail: 431-a\r\n431 b');
  expect(packets).toBeGreaterThan(20);
  expect(await client.say('QUIT')).toBe('221 2.0.0 bye');
  expect(await client.reply()).toBe('FIN');
});

test('late replies keep their order, and hanging up waits for them', async () => {
  const server = await start('421@data bye', { latencyMs: 2 });
  const client = dial(server);
  client.socket.write(PIPELINE);
  const codes: string[] = [];
  for (let i = 0; i < 7; i++) codes.push((await client.reply()).slice(0, 3));
  expect(codes).toEqual(['220', '250', '250', '250', '250', '421', 'FIN']);
});

test('a flood goes on for as long as it is read', async () => {
  const server = await start('flood@ehlo 250-more');
  const client = dial(server);
  await client.reply();
  let bytes = 0;
  client.socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > 300_000) client.socket.destroy();
  });
  client.socket.write('EHLO c\r\n');
  await server.until(({ open }) => open === 0);
  expect(bytes).toBeGreaterThan(300_000);
});

test('idle connections can be closed, with or without a word, and busy ones stay', async () => {
  const server = await start();
  const idle = (): Promise<RawClient> =>
    (async () => {
      const client = dial(server);
      await client.reply();
      await client.say('EHLO c');
      return client;
    })();
  const busy = await idle();
  await busy.say('MAIL FROM:<>');
  const first = await idle();
  expect(server.closeIdle()).toBe(1);
  expect(await first.reply()).toBe('FIN');
  const second = await idle();
  server.closeIdle('421 4.4.2 idle too long');
  expect([await second.reply(), await second.reply()]).toEqual(['421 4.4.2 idle too long', 'FIN']);
  const third = await idle();
  server.closeIdle('reset');
  expect(await third.reply()).toBe('ECONNRESET');
  expect(await busy.say('RSET')).toBe('250 2.0.0 reset');
  expect(server.drop()).toBe(1);
  expect(await busy.reply()).toBe('ECONNRESET');
});

test('both sides of a session are written down', async () => {
  const server = await start('450@rcpt(1) not now');
  const client = dial(server);
  await converse(client);
  await client.say('QUIT');
  expect(server.sessions[0]?.transcript).toEqual([
    'S: 220 test.example.com ESMTP',
    'C: EHLO client.test',
    'S: 250-test.example.com',
    'S: 250-PIPELINING',
    'S: 250-8BITMIME',
    'S: 250 ENHANCEDSTATUSCODES',
    'C: MAIL FROM:<from@example.net>',
    'S: 250 2.1.0 sender ok',
    'C: RCPT TO:<u1@example.com>',
    'S: 450 not now',
    'C: QUIT',
    'S: 221 2.0.0 bye',
  ]);
  expect(server.sessions[0]?.commands).toHaveLength(4);
});

test('clients that reset at any moment do no harm, and close leaves nothing open', async () => {
  const server = await start();
  for (let i = 0; i < 20; i++) {
    const client = dial(server);
    client.socket.write(PIPELINE.repeat(2).slice(0, 7 * i));
    if (i % 2) await client.reply();
    client.socket.resetAndDestroy();
  }
  const alive = dial(server);
  expect(await converse(alive)).toBe('sent');
  await server.close();
  expect(server.open).toBe(0);
  expect(await alive.reply()).toMatch(/FIN|ECONNRESET/);
  await server.close();
});

test('it disposes of itself, and counts alone where told to', async () => {
  const server = await startSmtpServer({ keep: 'counts' });
  expect(await converse(dial(server))).toBe('sent');
  expect([server.accepted, server.messages.length, server.sessions.length]).toEqual([1, 0, 0]);
  await server[Symbol.asyncDispose]();
  expect(await dial(server).reply()).toBe('ECONNREFUSED');
});

test('drop() also ends connections that the server has hung up on and the client has not', async () => {
  const server = await startSmtpServer();
  const socket = connect({ port: server.port, host: server.host, allowHalfOpen: true });
  socket.on('error', () => undefined);
  socket.write('QUIT\r\n');
  socket.resume();
  await once(socket, 'end');
  expect(server.drop()).toBe(1);
  await server.close();
  socket.destroy();
});
