/**
 * Servers that say what no server should. Nothing they say may crash or hang a delivery, lose a
 * recipient, make a second copy, or get unprintable characters into an outcome or a log line.
 */
import type { Socket } from 'node:net';
import { mailLog, type DeliveryOutcome, type SmtpVia } from 'smtp-routes';
import { assertAccounted, type ScriptMoment, type SmtpServerOptions } from 'smtp-routes/testing';
import { describe, expect, it, test } from 'vitest';
import { startRawServer } from './raw-server.js';
import { toldAttempt, toldOutcome, toldRecipient } from './told.js';
import { messageOf, RECIPIENT, SHORT, withRelays, type Relays } from './two-relays.js';

const QUICK: Partial<SmtpVia> = { greetingTimeout: 200, socketTimeout: 200 };
const STAGES = ['greeting', 'ehlo', 'mail', 'rcpt', 'data', 'final-reply'] as const;
type Spoken = (typeof STAGES)[number];
const PHASE: Readonly<Record<Spoken, string>> = {
  greeting: 'connect',
  ehlo: 'session',
  mail: 'envelope',
  rcpt: 'envelope',
  data: 'envelope',
  'final-reply': 'final-reply',
};

const LOST = (stage: Spoken): string =>
  stage === 'final-reply' ? 'lost at final-reply: stop, cool' : `lost at ${PHASE[stage]}: next-relay, cool`;
const OUTCOME = (stage: Spoken): string =>
  stage === 'final-reply' ? 'possibly-delivered by first' : 'delivered by second';

/** Everything that is shown to people is printable, and one line is one line. */
function expectPrintable({ events }: Relays, outcome: DeliveryOutcome): void {
  const strings: string[] = [];
  JSON.stringify([outcome, events.events], (_key, value: unknown) => {
    if (typeof value === 'string') strings.push(value);
    return value;
  });
  // eslint-disable-next-line no-control-regex
  const unprintable = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029]/;
  for (const text of strings) {
    expect(text).not.toMatch(unprintable);
    expect(text.length).toBeLessThan(2100);
  }
  for (const line of events.events.flatMap(mailLog())) {
    expect(line).not.toMatch(unprintable);
    expect(line).not.toContain('\n');
    expect(line).toMatch(/^\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4} Info: /);
  }
}

async function tryServer(
  first: SmtpServerOptions,
  message = SHORT,
): Promise<{ outcome: DeliveryOutcome; copies: number; received: number }> {
  return withRelays({ first, firstVia: QUICK }, async (relays) => {
    const outcome = await relays.send(undefined, message);
    assertAccounted([RECIPIENT], outcome);
    expectPrintable(relays, outcome);
    await relays.deliverer.close();
    await relays.first.until(({ open }) => open === 0);
    const copies = relays.first.messages.length + relays.second.messages.length;
    return { outcome, copies, received: relays.first.received.length };
  });
}

describe.each(STAGES)('at %s', (stage) => {
  test.each([
    ['control characters', 'raw', '\u0000\u0007\u001b[31m\u00ff\r\n'],
    ['a code of two digits', 'raw', '55 no\r\n'],
    ['a code of four digits', 'raw', '5500 no\r\n'],
    ['a code that means nothing', 'raw', '650 what\r\n'],
    ['HTTP', 'raw', 'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'],
    ['a reply without its end', 'raw', stage === 'final-reply' ? '250 o' : '550 n'],
    ['a reply that never ends', 'flood', '250-again'],
    ['lines that never end', 'flood', 'x'],
  ])('%s is no reply', async (_what, action, text) => {
    // Without PIPELINING, so that no later reply completes this one.
    const { outcome, copies, received } = await tryServer({ extensions: [], script: `${action}@${stage} ${text}` });
    const [attempt] = outcome.attempts;
    // nodemailer takes some of it for a refusal of EHLO, and goes on with HELO, which is answered likewise.
    expect(toldAttempt(attempt!)).toBe(LOST(stage));
    expect(toldOutcome(outcome)).toBe(OUTCOME(stage));
    if (stage !== 'final-reply') expect(copies).toBe(1);
    expect(received).toBe(stage === 'final-reply' ? 1 : 0);
  });

  test.each([
    ['escape sequences', '\u001b]0;owned\u0007\u001b[2J text'],
    ['NUL and bare CR', 'a\u0000b\rInfo: New SMTP DCID 1'],
    ['line separators and 8-bit bytes', 'a\u0085b\u00e9'],
    ['100,000 characters', 'x'.repeat(100_000)],
  ])('a refusal with %s is a refusal, made safe', async (_what, text) => {
    const { outcome } = await tryServer({ script: `raw@${stage} 554 ${text}\r\n` });
    const { failure } = outcome.attempts[0]!;
    expect(failure).toMatchObject({ kind: 'reply', phase: PHASE[stage], reply: { code: 554 } });
    expect(toldOutcome(outcome)).toBe(
      PHASE[stage] === 'connect' || PHASE[stage] === 'session' ? 'delivered by second' : 'rejected: 554',
    );
  });

  it('a refusal of many lines, some of them like replies of their own, is one refusal', async () => {
    const text = '554-5.7.1 first\r\n554-250 ok\r\n554-\r\n554 5.7.1 last\r\n';
    const { outcome } = await tryServer({ script: `raw@${stage} ${text}` });
    expect(outcome.attempts[0]!.failure).toMatchObject({
      kind: 'reply',
      reply: { code: 554, enhanced: '5.7.1', text: 'first\n250 ok\n\nlast' },
    });
  });

  it('silence is lost, not waited for', async () => {
    const { outcome } = await tryServer({ script: `stall@${stage}` });
    expect(toldAttempt(outcome.attempts[0]!)).toBe(LOST(stage));
  });

  it('one line that never ends is cut off', async () => {
    const answers: Record<string, string> = {
      EHLO: '250 x',
      MAIL: '250 ok',
      RCPT: '250 ok',
      DATA: '354 go',
      '.': '250 ok',
    };
    const verb: Record<Spoken, string> = {
      greeting: '',
      ehlo: 'EHLO',
      mail: 'MAIL',
      rcpt: 'RCPT',
      data: 'DATA',
      'final-reply': '.',
    };
    const pour = (socket: Socket): void => {
      const more = (): void => {
        if (!socket.destroyed) socket.write('2'.repeat(65_536), () => setImmediate(more));
      };
      more();
    };
    const hostile = await startRawServer((socket) => {
      if (stage === 'greeting') return pour(socket);
      socket.write('220 hi\r\n');
      let rest = '';
      socket.on('data', (chunk) => {
        rest += chunk.toString();
        for (let end = rest.indexOf('\r\n'); end >= 0; end = rest.indexOf('\r\n')) {
          const said = rest.slice(0, end).split(/[ :]/)[0]!;
          rest = rest.slice(end + 2);
          if (said === verb[stage]) return pour(socket);
          if (answers[said] !== undefined) socket.write(`${answers[said]}\r\n`);
        }
      });
    });
    try {
      await withRelays({ firstVia: { ...QUICK, host: '127.0.0.1', port: hostile.port } }, async (relays) => {
        const outcome = await relays.send();
        expectPrintable(relays, outcome);
        expect(toldAttempt(outcome.attempts[0]!)).toBe(LOST(stage));
        expect(toldOutcome(outcome)).toBe(OUTCOME(stage));
      });
    } finally {
      await hostile.close();
    }
  });
});

describe('good replies in unusual form are good', () => {
  test.each<[string, SmtpServerOptions]>([
    ['byte by byte', { splitReplies: true }],
    ['byte by byte, without PIPELINING', { splitReplies: true, extensions: [] }],
    [
      'with bare line feeds',
      {
        script: (at: ScriptMoment) =>
          at.stage === 'mail' || at.stage === 'rcpt' ? `raw@${at.stage} 250 ok\n` : undefined,
      },
    ],
    [
      'without a text',
      {
        script: (at: ScriptMoment) =>
          at.stage === 'mail' || at.stage === 'final-reply' ? `raw@${at.stage} 250\r\n` : undefined,
      },
    ],
    [
      'of many lines',
      {
        script: (at: ScriptMoment) =>
          at.stage === 'mail' || at.stage === 'final-reply' ? `250@${at.stage} a\nb\nc` : undefined,
      },
    ],
    ['a 250 in the place of the 354', { script: '250@data go ahead' }],
    ['a 251 and a 252 to RCPT', { script: '251@rcpt will forward' }],
    ['a greeting of many lines', { script: '220@greeting a\nb\nc' }],
  ])('%s', async (_what, first) => {
    const { outcome, copies } = await tryServer(first);
    expect(toldOutcome(outcome)).toBe('delivered by first');
    expect(copies).toBe(1);
  });
});

describe('replies out of order', () => {
  test.each([true, false])('one too many leads to no false claim (PIPELINING: %s)', async (pipelining) => {
    for (const stage of ['mail', 'rcpt', 'data'] as const) {
      for (const extra of ['250 ok', '550 no', '450 later', '354 go']) {
        const usual = stage === 'data' ? '354 go' : '250 ok';
        const { outcome, copies, received } = await tryServer({
          extensions: pipelining ? ['PIPELINING'] : [],
          script: (at: ScriptMoment) => (at.stage === stage ? `raw@${stage} ${usual}\r\n${extra}\r\n` : undefined),
        });
        const [status] = outcome.recipients.map(toldRecipient);
        const where = `${stage}, then ${extra}: ${status!}`;
        // Not delivered by the first means that it has not got it; delivered means that somebody has.
        if (status === 'delivered by second' || status!.startsWith('rejected')) expect(received, where).toBe(0);
        if (status!.startsWith('delivered')) expect(copies, where).toBe(1);
        expect(copies, where).toBeLessThan(2);
      }
    }
  });

  it('a 250 that came along with the 354 is not taken for the answer to the dot', async () => {
    const script = (at: ScriptMoment): string | undefined => {
      if (at.stage === 'data') return 'raw@data 354 go\r\n250 2.0.0 queued already\r\n';
      return at.stage === 'final-reply' ? '554@final-reply 5.7.1 spam' : undefined;
    };
    const { outcome, copies } = await tryServer({ script });
    expect(toldOutcome(outcome)).not.toBe('delivered by first');
    expect(toldAttempt(outcome.attempts[0]!)).toBe('lost at final-reply: stop, cool');
    expect(copies).toBe(0);
  });

  it('nor is a 554 that came along with it: the server may take the message all the same', async () => {
    const script = (at: ScriptMoment): string | undefined =>
      at.stage === 'data' ? 'raw@data 354 go\r\n554 5.7.1 no\r\n' : undefined;
    const { outcome } = await tryServer({ script });
    expect(toldOutcome(outcome)).toBe('possibly-delivered by first');
  });

  test.each(['250 2.0.0 queued', '554 5.7.1 no', '450 4.3.0 later', '354 go on'])(
    '%s in the middle of a long body ends the connection, so that the body is never accepted afterwards',
    async (reply) => {
      const { outcome, received, copies } = await tryServer({ script: `raw@body ${reply}\r\n` }, messageOf(3_000_000));
      expect(outcome.attempts[0]!.failure).toMatchObject({ kind: 'reply', phase: 'data' });
      expect(received).toBe(0);
      expect(toldOutcome(outcome)).toBe(reply.startsWith('5') ? 'rejected: 554' : 'delivered by second');
      expect(copies).toBe(reply.startsWith('5') ? 0 : 1);
    },
  );

  test.each(['354 go on', '334 more', 'garbage'])('%s to the dot: the server may have the message', async (reply) => {
    const { outcome, copies } = await tryServer({ script: `raw@final-reply ${reply}\r\n` });
    expect(toldOutcome(outcome)).toBe('possibly-delivered by first');
    expect(outcome.attempts).toHaveLength(1);
    expect(copies).toBe(0);
  });

  test.each(['250 2.0.0 queued', '554 5.7.1 no'])(
    'after an early %s a pooled connection is not used again',
    async (reply) => {
      const script = (at: ScriptMoment): string | undefined =>
        at.stage === 'body' && at.connection === 1 ? `raw@body ${reply}\r\n` : undefined;
      await withRelays({ via: { pool: true }, first: { script } }, async ({ send, first, second }) => {
        await send(undefined, messageOf(3_000_000));
        expect(toldOutcome(await send())).toMatch(/^delivered by/);
        await first.until(({ sessions }) => !sessions[0]!.open);
        expect(first.received.filter(({ connection }) => connection === 1)).toEqual([]);
        expect(first.received.length + second.received.length).toBe(reply.startsWith('2') ? 2 : 1);
      });
    },
  );

  it('a stray reply between two messages does not become the answer to the second', async () => {
    const script = (at: ScriptMoment): string | undefined => {
      if (at.stage === 'final-reply' && at.message === 0) return 'raw@final-reply 250 ok\r\n250 ok\r\n';
      return at.stage === 'final-reply' && at.message === 1 ? '554@final-reply no' : undefined;
    };
    await withRelays({ via: { pool: true }, first: { script } }, async ({ send, first }) => {
      expect(toldOutcome(await send())).toBe('delivered by first');
      const outcome = await send();
      const told = toldOutcome(outcome);
      if (told === 'delivered by first') expect(first.messages).toHaveLength(2);
    });
  });
});
