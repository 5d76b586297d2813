import { describe, expect, test } from 'vitest';
import { failureFromError, failuresFromError } from '../../src/core/failure-from-error.js';

const mailError = (message: string, fields: object): Error => Object.assign(new Error(message), fields);

/** What nodemailer 8 to 10 rejects with, stage by stage: reference/peers.md section 3, transport.md 1.5. */
const MEASURED: readonly [string, string, object, object][] = [
  [
    'refused, 10',
    'connect ECONNREFUSED 127.0.0.1:1',
    { code: 'ESOCKET', originalCode: 'ECONNREFUSED', command: 'CONN', syscall: 'connect' },
    { kind: 'lost', phase: 'connect', code: 'ECONNREFUSED' },
  ],
  [
    'refused, 8 and 9',
    'connect ECONNREFUSED 127.0.0.1:1',
    { code: 'ESOCKET', command: 'CONN', syscall: 'connect', errno: -111 },
    { kind: 'lost', phase: 'connect', code: 'ESOCKET' },
  ],
  [
    'no route to the host',
    'connect EHOSTUNREACH',
    { code: 'ESOCKET', command: 'CONN', syscall: 'connect' },
    { kind: 'lost', phase: 'connect' },
  ],
  [
    'an unknown name',
    'getaddrinfo ENOTFOUND mx.example',
    { code: 'EDNS', command: 'CONN', syscall: 'getaddrinfo' },
    { kind: 'lost', phase: 'connect', code: 'EDNS' },
  ],
  [
    'a resolver out of reach',
    'queryA ETIMEOUT mx.example',
    { code: 'ETIMEOUT', syscall: 'queryA' },
    { kind: 'lost', phase: 'connect' },
  ],
  [
    'a time-out of the connection',
    'Connection timeout',
    { code: 'ETIMEDOUT', command: 'CONN' },
    { kind: 'lost', phase: 'connect', code: 'ETIMEDOUT' },
  ],
  [
    'no greeting',
    'Greeting never received',
    { code: 'ETIMEDOUT', command: 'CONN' },
    { kind: 'lost', phase: 'connect', code: 'ETIMEDOUT' },
  ],
  [
    'no greeting, 10',
    'no answer',
    { code: 'ETIMEDOUT', command: 'CONN', timeoutType: 'GREETING_TIMEOUT' },
    { kind: 'lost', phase: 'connect', code: 'ETIMEDOUT' },
  ],
  [
    'silence later',
    'Timeout',
    { code: 'ETIMEDOUT', command: 'CONN' },
    { kind: 'lost', phase: 'final-reply', code: 'ETIMEDOUT' },
  ],
  [
    'a 554 greeting, which is no refusal of mail',
    'Invalid greeting',
    { code: 'EPROTOCOL', command: 'CONN', responseCode: 554, response: '554 5.3.2 no mail here', permanent: true },
    { kind: 'reply', phase: 'connect', reply: { code: 554, enhanced: '5.3.2', text: 'no mail here' } },
  ],
  [
    'a 421 to EHLO',
    'Server terminates connection',
    { code: 'ECONNECTION', command: 'EHLO', responseCode: 421, response: '421 busy' },
    { kind: 'reply', phase: 'session', reply: { code: 421, text: 'busy' } },
  ],
  [
    'a refused STARTTLS',
    'Error upgrading',
    { code: 'ETLS', command: 'STARTTLS', responseCode: 502, response: '502 no' },
    { kind: 'reply', phase: 'session' },
  ],
  [
    'a failed handshake',
    'certificate has expired',
    { code: 'ETLS', command: 'CONN' },
    { kind: 'lost', phase: 'session', code: 'ETLS' },
  ],
  [
    'a wrong password',
    'Invalid login',
    { code: 'EAUTH', command: 'AUTH PLAIN', responseCode: 535, response: '535 5.7.8 no', permanent: true },
    { kind: 'reply', phase: 'session', reply: { code: 535, enhanced: '5.7.8' } },
  ],
  [
    'no token',
    'Missing credentials',
    { code: 'EAUTH', command: 'API' },
    { kind: 'lost', phase: 'session', code: 'EAUTH' },
  ],
  [
    'a refused MAIL',
    'Mail command failed',
    { code: 'EENVELOPE', command: 'MAIL FROM', responseCode: 550, response: '550 5.7.1 not you' },
    { kind: 'reply', phase: 'envelope', reply: { code: 550, enhanced: '5.7.1', text: 'not you' } },
  ],
  [
    'a MAIL refused for now',
    'Mail command failed',
    { code: 'EENVELOPE', command: 'MAIL FROM', responseCode: 452, response: '452 4.3.1 full' },
    { kind: 'reply', phase: 'envelope', reply: { code: 452, enhanced: '4.3.1' } },
  ],
  [
    'a refused DATA',
    'DATA command failed',
    { code: 'EENVELOPE', command: 'DATA', responseCode: 554, response: '554 no' },
    { kind: 'reply', phase: 'envelope' },
  ],
  [
    'an answer to MAIL that is none',
    'Mail command failed',
    { code: 'EENVELOPE', command: 'MAIL FROM', response: 'nonsense' },
    { kind: 'lost', phase: 'envelope', code: 'EPROTOCOL' },
  ],
  [
    'a 2xx in place of 354',
    'DATA command failed',
    { code: 'EENVELOPE', command: 'DATA', responseCode: 220, response: '220 hm' },
    { kind: 'lost', phase: 'envelope', code: 'EPROTOCOL' },
  ],
  [
    'an address that nodemailer refuses itself',
    'Invalid recipient',
    { code: 'EENVELOPE', command: 'API' },
    { kind: 'unroutable' },
  ],
  [
    'a refused message',
    'Message failed',
    { code: 'EMESSAGE', command: 'DATA', responseCode: 554, response: '554 spam' },
    { kind: 'reply', phase: 'final-reply', reply: { code: 554 } },
  ],
  [
    'a 3xx to the dot',
    'Message failed',
    { code: 'EMESSAGE', command: 'DATA', responseCode: 354, response: '354 go on' },
    { kind: 'lost', phase: 'final-reply' },
  ],
  [
    'a message above the announced SIZE',
    'Message size larger than allowed',
    { code: 'EMESSAGE', command: 'MAIL FROM' },
    { kind: 'unsupported', need: 'SIZE', enhanced: '5.3.4' },
  ],
  [
    'REQUIRETLS not offered',
    'no REQUIRETLS',
    { code: 'EREQUIRETLS' },
    { kind: 'unsupported', need: 'REQUIRETLS', enhanced: '5.7.30' },
  ],
  [
    'a connection closed at any stage',
    'Connection closed unexpectedly',
    { code: 'ECONNECTION', command: 'CONN' },
    { kind: 'lost', phase: 'final-reply', code: 'ECONNECTION' },
  ],
  [
    'a truncated 250, 8 and 9',
    'Connection closed',
    { code: 'ECONNECTION', command: 'CONN', responseCode: 250, response: '250' },
    { kind: 'lost', phase: 'final-reply' },
  ],
  [
    'a reset',
    'read ECONNRESET',
    { code: 'ESOCKET', originalCode: 'ECONNRESET', command: 'CONN', syscall: 'read' },
    { kind: 'lost', phase: 'final-reply', code: 'ECONNRESET' },
  ],
  ['a close without a word', 'Unexpected socket close', {}, { kind: 'lost', phase: 'final-reply', code: 'EUNKNOWN' }],
  [
    'a message that cannot be read',
    'boom',
    { code: 'ESTREAM' },
    { kind: 'lost', phase: 'final-reply', code: 'ESTREAM' },
  ],
  [
    'an error of another transport',
    'Throttled',
    { code: 'ThrottlingException', statusCode: 429 },
    { kind: 'lost', phase: 'final-reply', code: 'ThrottlingException' },
  ],
  [
    'a code and a response that differ',
    'Mail command failed',
    { code: 'EENVELOPE', responseCode: 550, response: '250 ok' },
    { kind: 'reply', phase: 'envelope', reply: { code: 550, text: '250 ok' } },
  ],
];

describe('what an error tells', () => {
  test.each(MEASURED)('%s', (_, message, fields, failure) => {
    expect(failureFromError(mailError(message, fields))).toMatchObject(failure);
  });

  test.each<[string, unknown, string]>([
    ['a text', 'boom', 'boom'],
    ['nothing', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a symbol', Symbol('boom'), 'Symbol(boom)'],
    ['an object without a prototype', Object.create(null), 'something was thrown that cannot be read'],
    [
      'a trap',
      {
        get message() {
          throw new Error('trap');
        },
        get code() {
          throw new Error('trap');
        },
      },
      'something was thrown that cannot be read',
    ],
    [
      'a proxy that refuses everything',
      new Proxy(
        {},
        {
          get: () => {
            throw new Error('trap');
          },
        },
      ),
      'something was thrown that cannot be read',
    ],
    ['control characters', new Error('a\r\nb\u0000'), 'a?\nb?'],
  ])('%s: that nobody knows', (_, error, message) => {
    expect(failureFromError(error)).toEqual({ kind: 'lost', phase: 'final-reply', code: 'EUNKNOWN', message });
  });
});

describe('of each recipient', () => {
  const rejected = (recipient: string, responseCode: number, response: string) =>
    mailError('Recipient command failed', { code: 'EENVELOPE', command: 'RCPT TO', recipient, responseCode, response });

  test('when all were refused, each has its own answer', () => {
    const rejectedErrors = [
      rejected('a@x.example', 550, '550 5.1.1 unknown'),
      rejected('b@x.example', 451, '451 later'),
    ];
    const error = mailError("Can't send mail - all recipients were rejected", {
      code: 'EENVELOPE',
      command: 'RCPT TO',
      responseCode: 451,
      response: '451 later',
      rejectedErrors,
    });
    expect(failuresFromError(error, ['b@x.example', 'a@x.example'])).toMatchObject([
      { kind: 'reply', phase: 'envelope', reply: { code: 451 } },
      { kind: 'reply', phase: 'envelope', reply: { code: 550, enhanced: '5.1.1' } },
    ]);
  });

  test('after a refused MAIL, answers to RCPTs pipelined behind it say nothing', () => {
    const error = mailError('Mail command failed', {
      code: 'EENVELOPE',
      command: 'MAIL FROM',
      responseCode: 451,
      response: '451 later',
      rejectedErrors: [rejected('a@x.example', 503, '503 5.5.1 MAIL comes first')],
    });
    expect(failuresFromError(error, ['a@x.example'])).toMatchObject([
      { kind: 'reply', phase: 'envelope', reply: { code: 451 }, command: 'MAIL FROM' },
    ]);
  });

  test('who has none shares the failure of all, the very same object', () => {
    const error = mailError('Message failed', {
      code: 'EMESSAGE',
      responseCode: 451,
      response: '451 later',
      rejectedErrors: [rejected('a@x.example', 550, '550 no')],
    });
    const [own, first, second] = failuresFromError(error, ['a@x.example', 'b@x.example', 'c@x.example']);
    expect(own).toMatchObject({ phase: 'envelope', reply: { code: 550 } });
    expect(first).toMatchObject({ phase: 'final-reply', reply: { code: 451 } });
    expect(second).toBe(first);
  });

  test('rejectedErrors that are none are ignored', () => {
    const error = mailError('x', {
      code: 'EENVELOPE',
      responseCode: 550,
      response: '550 no',
      rejectedErrors: [null, 5, {}],
    });
    expect(failuresFromError(error, ['a@x.example'])).toMatchObject([{ reply: { code: 550 } }]);
  });
});
