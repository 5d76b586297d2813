import { getEventListeners } from 'node:events';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import type { Failure } from '../../src/core/failure.js';
import { Relay } from '../../src/core/relay.js';
import type { RecipientReport, SendRequest, TransportEvent } from '../../src/delivery/relay-transport.js';
import { recordEvents } from '../../src/testing/record-events.js';
import type { Stage } from '../../src/testing/script.js';
import type { Script } from '../../src/testing/scripted-sessions.js';
import { ScriptedTransport } from '../../src/testing/scripted-transport.js';

const request = (relay: string, to: readonly string[], more: Partial<SendRequest> = {}): SendRequest => ({
  relay: new Relay(relay, { host: '192.0.2.1' }),
  envelope: { from: 'from@example.net', to },
  message: 'Subject: x\r\n\r\nx\r\n',
  signal: new AbortController().signal,
  ...more,
});

const send = (script: Script, to: readonly string[] = ['u1@example.com', 'u2@example.com', 'u3@example.com']) =>
  new ScriptedTransport({ a: script }).send(request('a', to));

/** A report in one word, to compare whole batches at a glance. */
const word = ({ reply, failure }: RecipientReport): string => {
  if (!failure) return String(reply?.code);
  const detail = (one: Failure): string =>
    one.kind === 'reply'
      ? `${String(one.reply.code)}@${one.phase}`
      : one.kind === 'lost'
        ? `${one.code}@${one.phase}`
        : one.kind;
  return detail(failure);
};

test('one entry for each send, a string for all, and a relay without a script accepts', async () => {
  const transport = new ScriptedTransport({
    exchange1: ['431@greeting mail ESMTP\nMail system full', '250 2.0.0 queued'],
    exchange2: '250',
  });
  const to = ['u@example.com'];
  const first = await transport.send(request('exchange1', to));
  expect(first).toEqual([
    {
      recipient: 'u@example.com',
      failure: { kind: 'reply', phase: 'connect', reply: { code: 431, text: 'mail ESMTP\nMail system full' } },
    },
  ]);
  expect(() => transport.assertExhausted()).toThrow('relay exchange1: never used: 250 2.0.0 queued');
  expect(await transport.send(request('exchange1', to))).toEqual([
    { recipient: 'u@example.com', reply: { code: 250, enhanced: '2.0.0', text: 'queued' } },
  ]);
  for (let i = 0; i < 3; i++) await transport.send(request('exchange2', to));
  expect(await transport.send(request('other', to))).toEqual([
    { recipient: 'u@example.com', reply: { code: 250, enhanced: '2.0.0', text: 'accepted by other' } },
  ]);
  expect(transport.trace.map(({ relay, attempt, lines }) => [relay, attempt, ...lines])).toEqual([
    ['exchange1', 1, '431@greeting mail ESMTP\nMail system full'],
    ['exchange1', 2, '250 2.0.0 queued'],
    ['exchange2', 1, '250'],
    ['exchange2', 2, '250'],
    ['exchange2', 3, '250'],
    ['other', 1],
  ]);
  transport.assertExhausted();
});

test('a send that finds no line left rejects, and the end of the test says so again', async () => {
  const transport = new ScriptedTransport({ a: ['250'] });
  await transport.send(request('a', ['u@example.com']));
  const problem = 'relay a: no script line is left for send 2 (to v@example.com)';
  await expect(transport.send(request('a', ['v@example.com']))).rejects.toThrow(problem);
  expect(() => transport.assertExhausted()).toThrow(problem);
});

test('a directive of a session that never acts is missed, a plain accept is not', async () => {
  const transport = new ScriptedTransport({ a: [['450@rcpt(nobody@example.com)', '550@rcpt', '250']] });
  await transport.send(request('a', ['u@example.com']));
  expect(() => transport.assertExhausted()).toThrow('never used: 450@rcpt(nobody@example.com)');
  expect(() => transport.assertExhausted()).not.toThrow('550@rcpt');
});

const AT: readonly [Stage, string][] = [
  ['connect', 'connect'],
  ['greeting', 'connect'],
  ['ehlo', 'session'],
  ['starttls', 'session'],
  ['auth', 'session'],
  ['mail', 'envelope'],
  ['rcpt', 'envelope'],
  ['data', 'envelope'],
  ['body', 'data'],
  ['final-reply', 'final-reply'],
];

test.each(AT)('at %s everybody shares what happens, in phase %s', async (stage, phase) => {
  const all = (one: string): string[] => [one, one, one];
  expect((await send(`close@${stage}`)).map(word)).toEqual(all(`ECONNECTION@${phase}`));
  expect((await send(`reset@${stage}`)).map(word)).toEqual(all(`ECONNRESET@${phase}`));
  expect((await send(`lost@${stage} ETLS`)).map(word)).toEqual(all(`ETLS@${phase}`));
  if (stage === 'connect') return;
  for (const code of ['421', '451', '550', '503', '334'])
    expect((await send(`${code}@${stage} no`)).map(word)).toEqual(all(`${code}@${phase}`));
  expect((await send(`raw@${stage} 250 o`)).map(word)).toEqual(all(`EPROTOCOL@${phase}`));
  expect((await send(`raw@${stage} 451 o\r\n`)).map(word)).toEqual(all(`451@${phase}`));
  expect((await send(`flood@${stage} 250-o`)).map(word)).toEqual(all(`EPROTOCOL@${phase}`));
});

test('a port where nobody listens', async () => {
  expect((await send('refused', ['u@example.com'])).map(word)).toEqual(['ECONNREFUSED@connect']);
});

test('one refused recipient leaves the others', async () => {
  expect((await send('450@rcpt(u2@example.com) greylisted')).map(word)).toEqual(['250', '450@envelope', '250']);
  expect((await send('452@rcpt(2+) 4.5.3 too many')).map(word)).toEqual(['250', '452@envelope', '452@envelope']);
  expect((await send('452@rcpt(2)')).map(word)).toEqual(['250', '452@envelope', '250']);
  expect((await send('550@rcpt(@example.com)')).map(word)).toEqual(['550@envelope', '550@envelope', '550@envelope']);
});

test('a refused recipient keeps its failure when the rest fails later', async () => {
  const lines = [['550@rcpt(u1@example.com)', 'close@final-reply']];
  expect((await send(lines)).map(word)).toEqual(['550@envelope', 'ECONNECTION@final-reply', 'ECONNECTION@final-reply']);
});

test('a 421 or a loss in the middle of the recipients is for all but those refused before', async () => {
  expect((await send([['550@rcpt(1)', '421@rcpt(2)']])).map(word)).toEqual([
    '550@envelope',
    '421@envelope',
    '421@envelope',
  ]);
  expect((await send([['550@rcpt(1)', 'reset@rcpt(3)']])).map(word)).toEqual([
    '550@envelope',
    'ECONNRESET@envelope',
    'ECONNRESET@envelope',
  ]);
});

test('when every recipient is refused the message is not opened', async () => {
  const transport = new ScriptedTransport({ a: [['550@rcpt', 'close@data']] });
  const message = {
    open: (): Readable => {
      throw new Error('opened');
    },
  };
  expect((await transport.send(request('a', ['u@example.com'], { message }))).map(word)).toEqual(['550@envelope']);
  expect(() => transport.assertExhausted()).toThrow('never used: close@data');
});

test('the bytes of each message that was read to its end are kept', async () => {
  const transport = new ScriptedTransport({ a: ['close@body', '451@final-reply', '250'] });
  const message = { open: () => Readable.from([Buffer.from('one '), Buffer.from('two')]) };
  for (let i = 0; i < 3; i++) await transport.send(request('a', ['u@example.com'], { message }));
  expect(transport.trace.map(({ body }) => body?.toString())).toEqual([undefined, 'one two', 'one two']);
});

test('a message that cannot be read is no fault of the relay', async () => {
  const transport = new ScriptedTransport();
  const message = {
    open: () => new Readable({ read: (): void => void 0, construct: (done) => done(new Error('gone')) }),
  };
  expect((await transport.send(request('a', ['u@example.com'], { message }))).map(word)).toEqual(['aborted']);
});

test.each(AT.filter(([stage]) => stage !== 'final-reply'))('a stall at %s ends with an abort', async (stage) => {
  const controller = new AbortController();
  const transport = new ScriptedTransport({ a: [`stall@${stage}`] });
  const pending = transport.send(request('a', ['u@example.com'], { signal: controller.signal }));
  await new Promise(setImmediate);
  expect(transport.busy('a')).toBe(1);
  controller.abort(new Error('enough'));
  expect(await pending).toEqual([{ recipient: 'u@example.com', failure: { kind: 'aborted', message: 'enough' } }]);
  expect([transport.busy(), getEventListeners(controller.signal, 'abort').length]).toEqual([0, 0]);
});

test('past the dot a plain abort is not heeded, but the limit that it carries is', async () => {
  const transport = new ScriptedTransport({ a: 'stall@final-reply' });
  const controller = new AbortController();
  const limit = new AbortController();
  const pending = transport.send(request('a', ['u@example.com'], { signal: controller.signal }));
  await new Promise(setImmediate);
  controller.abort(Object.assign(new Error('enough'), { limit: limit.signal }));
  limit.abort(new DOMException('limit', 'TimeoutError'));
  expect((await pending).map(word)).toEqual(['ETIMEDOUT@final-reply']);
});

test('past the dot a plain abort is not heeded, and a release brings the reply', async () => {
  const controller = new AbortController();
  const transport = new ScriptedTransport({ a: ['stall@final-reply'] });
  const pending = transport.send(request('a', ['u@example.com'], { signal: controller.signal }));
  await new Promise(setImmediate);
  controller.abort();
  await new Promise(setImmediate);
  expect(transport.busy('a')).toBe(1);
  expect(transport.release()).toBe(1);
  expect((await pending).map(word)).toEqual(['250']);
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
});

test('past the dot a time limit means that nobody knows', async () => {
  const controller = new AbortController();
  const transport = new ScriptedTransport({ a: 'stall@final-reply' });
  const pending = transport.send(request('a', ['u@example.com'], { signal: controller.signal }));
  await new Promise(setImmediate);
  controller.abort(new DOMException('limit', 'TimeoutError'));
  expect((await pending).map(word)).toEqual(['ETIMEDOUT@final-reply']);
});

test('a send given up beforehand calls nobody and takes no line', async () => {
  const transport = new ScriptedTransport({ a: ['250'] });
  expect((await transport.send(request('a', ['u@example.com'], { signal: AbortSignal.abort() }))).map(word)).toEqual([
    'aborted',
  ]);
  expect(transport.trace).toEqual([]);
});

test('a function is asked at each moment', async () => {
  const transport = new ScriptedTransport({
    a: ({ stage, connection, recipient }) =>
      connection === 2 && stage === 'rcpt' && recipient === 'u1@example.com' ? '450 not now' : '250',
  });
  const to = ['u1@example.com', 'u2@example.com'];
  expect((await transport.send(request('a', to))).map(word)).toEqual(['250', '250']);
  expect((await transport.send(request('a', to))).map(word)).toEqual(['450@envelope', '250']);
});

test('connections are told with running numbers', async () => {
  const transport = new ScriptedTransport({ a: ['refused', 'close@ehlo', '250'] });
  const onEvent = recordEvents<TransportEvent>();
  for (let i = 0; i < 3; i++) await transport.send(request('a', ['u@example.com'], { onEvent }));
  expect(onEvent.events.map(({ type, connection }) => `${type} ${String(connection)}`)).toEqual([
    'connection-opened 2',
    'connection-closed 2',
    'connection-opened 3',
    'connection-taken 3',
    'connection-closed 3',
  ]);
  expect(onEvent.ofType('connection-opened')[0]?.address).toBe('192.0.2.1');
});

test('a mistyped line does not construct', () => {
  expect(() => new ScriptedTransport({ a: ['550@rctp'] })).toThrow('did you mean "rcpt"?');
});

test('a function that fails rejects the send and is told at the end of the test', async () => {
  const transport = new ScriptedTransport({ a: ({ stage }) => (stage === 'mail' ? 'boom' : undefined) });
  await expect(transport.send(request('a', ['u@example.com']))).rejects.toThrow('script line "boom"');
  expect(transport.busy()).toBe(0);
  expect(() => transport.assertExhausted()).toThrow('relay a: TypeError: script line "boom"');
});

test('a limit and a close are there to be seen', () => {
  const transport = new ScriptedTransport({}, { limit: 2 });
  expect([transport.limit(), transport.closed, new ScriptedTransport().limit()]).toEqual([2, false, Infinity]);
  transport.close();
  expect(transport.closed).toBe(true);
});
