import { describe, expect, it, test } from 'vitest';
import type { Failure } from 'smtp-routes';
import { isStale, judgeSend, type SendEnd } from '../../src/nodemailer/judge-send.js';
import type { MailError } from '../../src/nodemailer/smtp-connection.js';

const ONE = ['u1@example.com'];
const THREE = ['u1@example.com', 'u2@example.com', 'u3@example.com'];

/** How far the body had been read, in words. */
const BODY = {
  untouched: { began: false, ended: false, produced: 0 },
  partly: { began: true, ended: false, produced: 65_536 },
  wholly: { began: true, ended: true, produced: 1000 },
} as const;

type Read = keyof typeof BODY;

function error(code: string, fields: Partial<MailError> = {}): MailError {
  return Object.assign(new Error(fields.message ?? 'as nodemailer says'), { code, ...fields });
}

function refusal(code: 'EENVELOPE' | 'EMESSAGE', command: string, response: string): MailError {
  return error(code, { command, response, responseCode: Number.parseInt(response, 10) });
}

function end(read: Read, fields: Partial<SendEnd> = {}): SendEnd {
  const written = read === 'untouched' ? undefined : 1003;
  return { recipients: ONE, rejectedErrors: [], body: BODY[read], written, answered: true, ...fields };
}

/** `lost ECONNRESET at data`, `reply 450 at envelope`, `unsupported`. */
function told(failure: Failure | undefined): string {
  if (!failure) return 'delivered';
  if (failure.kind === 'reply') return `reply ${String(failure.reply.code)} at ${failure.phase}`;
  return failure.kind === 'lost' ? `lost ${failure.code} at ${failure.phase}` : failure.kind;
}

function judged(sent: SendEnd): { readonly failure: string; readonly fate: string } {
  const { reports, fate } = judgeSend(sent);
  return { failure: told(reports[0]!.failure), fate };
}

describe('the phase of a loss is what was read of the body', () => {
  test.each<[Read, string]>([
    ['untouched', 'lost ECONNECTION at envelope'],
    ['partly', 'lost ECONNECTION at data'],
    ['wholly', 'lost ECONNECTION at final-reply'],
  ])('%s: %s', (read, failure) => {
    expect(judged(end(read, { error: error('ECONNECTION') }))).toEqual({ failure, fate: 'drop' });
  });

  it('a body that was read to its end, but not written to its end with the dot, has not been delivered', () => {
    const lost = error('ECONNECTION');
    expect(judged(end('wholly', { error: lost, written: 1002 })).failure).toBe('lost ECONNECTION at data');
    expect(judged(end('wholly', { error: lost, written: 1003 })).failure).toBe('lost ECONNECTION at final-reply');
    expect(judged(end('wholly', { error: lost, written: undefined })).failure).toBe('lost ECONNECTION at final-reply');
  });

  test.each([250, 354, 451, 554])('the beginning %i of a cut-off reply does not count', (responseCode) => {
    const lost = error('ECONNECTION', { responseCode, response: `${String(responseCode)} 2.0.0 que` });
    expect(judged(end('wholly', { error: lost })).failure).toBe('lost ECONNECTION at final-reply');
    expect(judged(end('untouched', { error: lost })).failure).toBe('lost ECONNECTION at envelope');
  });

  test.each<[string, MailError]>([
    ['lost ECONNREFUSED at envelope', error('ESOCKET', { originalCode: 'ECONNREFUSED' })],
    ['lost ECONNRESET at envelope', error('ESOCKET', { errno: -104 })],
    ['lost ESOCKET at envelope', error('ESOCKET')],
    ['lost ETIMEDOUT at envelope', error('ETIMEDOUT')],
    ['lost EPROTOCOL at envelope', error('EPROTOCOL')],
  ])('its code is the most telling one there is: %s', (failure, lost) => {
    expect(judged(end('untouched', { error: lost })).failure).toBe(failure);
  });

  it("nodemailer 10's way of handing over a 421 is read as the reply that it is", () => {
    const closing = error('ECONNECTION', { responseCode: 421, response: '421 4.3.2 shutting down' });
    expect(judged(end('untouched', { error: closing }))).toEqual({ failure: 'reply 421 at envelope', fate: 'drop' });
    expect(judged(end('wholly', { error: closing })).failure).toBe('lost ECONNECTION at final-reply');
  });
});

describe('a reply', () => {
  test.each<[string, string, string, string]>([
    ['MAIL FROM', '450 4.7.1 later', 'reply 450 at envelope', 'keep'],
    ['MAIL FROM', '550 5.7.1 no', 'reply 550 at envelope', 'keep'],
    ['MAIL FROM', '421 4.3.2 closing', 'reply 421 at envelope', 'drop'],
    ['MAIL FROM', '354 what', 'reply 354 at envelope', 'drop'],
    ['DATA', '451 4.3.0 later', 'reply 451 at envelope', 'reset'],
    ['DATA', '554 5.0.0 no', 'reply 554 at envelope', 'reset'],
    ['DATA', '421 closing', 'reply 421 at envelope', 'drop'],
    ['DATA', 'nonsense', 'lost EPROTOCOL at envelope', 'drop'],
    ['MAIL FROM', '99 short', 'lost EPROTOCOL at envelope', 'drop'],
    ['MAIL FROM', '45000 long', 'lost EPROTOCOL at envelope', 'drop'],
    ['MAIL FROM', '600 unheard of', 'lost EPROTOCOL at envelope', 'drop'],
  ])('to %s, %s: %s, and the connection: %s', (command, response, failure, fate) => {
    const sent = end('untouched', { error: refusal('EENVELOPE', command, response) });
    expect(judged(sent)).toEqual({ failure, fate });
  });

  test.each<[Read, string, string, string]>([
    ['wholly', '450 4.2.0 later', 'reply 450 at final-reply', 'keep'],
    ['wholly', '554 5.7.1 spam', 'reply 554 at final-reply', 'keep'],
    ['wholly', '421 4.3.2 closing', 'reply 421 at final-reply', 'drop'],
    ['wholly', '354 go ahead', 'reply 354 at final-reply', 'drop'],
    ['wholly', 'what?', 'lost EPROTOCOL at final-reply', 'drop'],
    ['wholly', '5540 5.7.1 spam', 'lost EPROTOCOL at final-reply', 'drop'],
    ['partly', '554 5.7.1 spam', 'reply 554 at data', 'drop'],
    ['partly', '450 later', 'reply 450 at data', 'drop'],
    ['partly', 'what?', 'lost EPROTOCOL at data', 'drop'],
  ])('to a body that was %s read, %s: %s, and the connection: %s', (read, response, failure, fate) => {
    expect(judged(end(read, { error: refusal('EMESSAGE', 'DATA', response) }))).toEqual({ failure, fate });
  });

  test.each<[Read, string, string, string]>([
    ['wholly', '250 2.0.0 queued', 'delivered', 'keep'],
    ['wholly', '250', 'delivered', 'keep'],
    ['partly', '250 2.0.0 queued', 'reply 250 at data', 'drop'],
    ['untouched', '250 2.0.0 queued', 'reply 250 at data', 'drop'],
    ['wholly', '2nd to none', 'lost EPROTOCOL at final-reply', 'drop'],
    ['wholly', '25000', 'lost EPROTOCOL at final-reply', 'drop'],
    ['partly', '2nd to none', 'lost EPROTOCOL at data', 'drop'],
  ])('a success to a body that was %s read, %s: %s, and the connection: %s', (read, response, failure, fate) => {
    expect(judged(end(read, { response }))).toEqual({ failure, fate });
  });

  test.each([{ response: '250 2.0.0 queued' }, { error: refusal('EMESSAGE', 'DATA', '554 5.7.1 spam') }])(
    'that was there before the body had ended is none to the dot: %j',
    (fields) => {
      expect(judged(end('wholly', { ...fields, answered: false }))).toEqual({
        failure: 'lost EPROTOCOL at final-reply',
        fate: 'drop',
      });
    },
  );

  it('keeps its enhanced code and loses what could break a log line', () => {
    const { reports } = judgeSend(
      end('wholly', { error: refusal('EMESSAGE', 'DATA', '550-5.7.1 \u001b[31mred\r\n550 5.7.1 \u0000end') }),
    );
    expect(reports[0]!.failure).toEqual({
      kind: 'reply',
      phase: 'final-reply',
      reply: { code: 550, enhanced: '5.7.1', text: '?[31mred\n?end' },
    });
    const { reports: garbage } = judgeSend(
      end('wholly', {
        error: error('EMESSAGE', { command: 'DATA', response: '\u001b[2J', message: 'failed: \u001b[2J' }),
      }),
    );
    expect(garbage[0]!.failure).toMatchObject({ kind: 'lost', code: 'EPROTOCOL', message: 'failed: ?[2J' });
  });
});

describe('each recipient has the answer to its own RCPT', () => {
  const rejectedErrors = [{ recipient: THREE[1], responseCode: 550, response: '550 5.1.1 no such user' }];

  function all(sent: SendEnd): string[] {
    return judgeSend(sent).reports.map(({ recipient, failure }) => `${recipient.slice(0, 2)} ${told(failure)}`);
  }

  it('when the message is accepted for the others', () => {
    expect(all(end('wholly', { recipients: THREE, rejectedErrors, response: '250 ok' }))).toEqual([
      'u1 delivered',
      'u2 reply 550 at envelope',
      'u3 delivered',
    ]);
  });

  test.each<[Read, string]>([
    ['untouched', 'lost ECONNECTION at envelope'],
    ['partly', 'lost ECONNECTION at data'],
    ['wholly', 'lost ECONNECTION at final-reply'],
  ])('when the connection is lost with the body %s read', (read, loss) => {
    expect(all(end(read, { recipients: THREE, rejectedErrors, error: error('ECONNECTION') }))).toEqual([
      `u1 ${loss}`,
      'u2 reply 550 at envelope',
      `u3 ${loss}`,
    ]);
  });

  it('when the dot is refused', () => {
    const refused = refusal('EMESSAGE', 'DATA', '451 4.3.0 later');
    expect(all(end('wholly', { recipients: THREE, rejectedErrors, error: refused }))).toEqual([
      'u1 reply 451 at final-reply',
      'u2 reply 550 at envelope',
      'u3 reply 451 at final-reply',
    ]);
  });

  it('when all are refused, whatever single code nodemailer gives for all', () => {
    const own = THREE.map((recipient, i) => ({ recipient, responseCode: 550 + i, response: `${String(550 + i)} no` }));
    const refused = refusal('EENVELOPE', 'RCPT TO', '450 the one that nodemailer chose');
    expect(all(end('untouched', { recipients: THREE, rejectedErrors: own, error: refused }))).toEqual([
      'u1 reply 550 at envelope',
      'u2 reply 551 at envelope',
      'u3 reply 552 at envelope',
    ]);
  });

  it('but not after a refused MAIL: the 503s to the RCPTs behind it say nothing', () => {
    const own = THREE.map((recipient) => ({ recipient, responseCode: 503, response: '503 need MAIL' }));
    const refused = refusal('EENVELOPE', 'MAIL FROM', '450 4.7.1 later');
    expect(all(end('untouched', { recipients: THREE, rejectedErrors: own, error: refused }))).toEqual([
      'u1 reply 450 at envelope',
      'u2 reply 450 at envelope',
      'u3 reply 450 at envelope',
    ]);
  });

  it('an unreadable one is lost', () => {
    const own = [{ recipient: THREE[0], response: 'hm' }];
    expect(all(end('wholly', { recipients: THREE, rejectedErrors: own, response: '250 ok' }))[0]).toBe(
      'u1 lost EPROTOCOL at envelope',
    );
  });

  it('a 421 among them ends the connection', () => {
    const own = [{ recipient: THREE[2], responseCode: 421, response: '421 enough' }];
    const { fate } = judgeSend(end('wholly', { recipients: THREE, rejectedErrors: own, response: '250 ok' }));
    expect(fate).toBe('drop');
  });
});

describe('what nodemailer refuses by itself leaves the connection as it was', () => {
  test.each<[string, MailError, string]>([
    ['a message over the announced SIZE', error('EMESSAGE', { command: 'MAIL FROM' }), 'unsupported'],
    ['REQUIRETLS where it is not offered', error('EREQUIRETLS', { command: 'MAIL FROM' }), 'unsupported'],
    ['an address it cannot send', error('EENVELOPE', { command: 'API' }), 'unroutable'],
  ])('%s', (_what, refused, failure) => {
    expect(judged(end('untouched', { error: refused }))).toEqual({ failure, fate: 'keep' });
  });

  it('an abort, and a message that cannot be read, are no fault of the relay, but end the connection', () => {
    expect(judged(end('partly', { error: error('EABORT') }))).toEqual({ failure: 'aborted', fate: 'drop' });
    expect(judged(end('partly', { error: error('ESTREAM') }))).toEqual({ failure: 'aborted', fate: 'drop' });
  });
});

describe('a reused connection was gone before we used it', () => {
  test.each<[boolean, string, string | false, MailError]>([
    [true, 'no reply at all', false, error('ECONNECTION')],
    [true, 'not even a socket', '250 reset', error('ECONNECTION', { command: 'API' })],
    [
      true,
      'only the 421 it was closed with',
      '421 4.4.2 idle too long',
      refusal('EENVELOPE', 'MAIL FROM', '421 4.4.2 idle too long'),
    ],
    [false, 'MAIL was accepted', '250 2.1.0 ok', error('ECONNECTION')],
    [false, 'MAIL was refused', '450 later', refusal('EENVELOPE', 'MAIL FROM', '450 later')],
    [false, 'a 421 to RCPT', '421 enough', refusal('EENVELOPE', 'RCPT TO', '421 enough')],
    [false, 'the caller gave up', false, error('EABORT')],
  ])('%s: %s', (stale, _what, lastResponse, lost) => {
    expect(isStale(lost, lastResponse)).toBe(stale);
  });
});
