/**
 * Transports that an app already has, as relays: nodemailer's own over real sockets, and others, good
 * and bad. The second relay takes what the first leaves: a message must never be at both.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createTransport } from 'nodemailer';
import type { TransportConfig } from 'nodemailer';
import { Deliverer, defineRoutes, RouteConfigError } from 'smtp-routes';
import type { DelivererOptions, DeliveryOutcome, Mail, RouteTable } from 'smtp-routes';
import { nodemailerTransport, RoutedTransport } from 'smtp-routes/nodemailer';
import { memoryQueue } from 'smtp-routes/queue';
import { startSmtpServer, type SmtpServerOptions, type SmtpTestServer } from 'smtp-routes/testing';
import { describe, expect, it, test } from 'vitest';
import { dkimKey } from './dkim-key.js';
import { toldAttempt, toldOutcome } from './told.js';
import { messageOf, RECIPIENT, SENDER, SHORT } from './two-relays.js';

const MESSAGE = 'From: App <app@sender.example>\r\nSubject: Hi\r\nMessage-ID: <1@sender.example>\r\n\r\nHello.\r\n';

interface Wrapped {
  readonly backup: SmtpTestServer;
  readonly deliverer: Deliverer;
  readonly send: (to?: readonly string[], message?: Mail['message'], signal?: AbortSignal) => Promise<DeliveryOutcome>;
}

async function withWrapped(
  transport: object,
  use: (wrapped: Wrapped) => Promise<void>,
  options: Partial<DelivererOptions> = {},
): Promise<void> {
  const backup = await startSmtpServer();
  const deliverer = new Deliverer({
    routes: defineRoutes({
      relays: { own: { transport }, backup: { host: backup.host, port: backup.port } },
      routes: [{ match: 'ALL', tiers: [['own'], ['backup']] }],
    }),
    transport: nodemailerTransport(),
    ...options,
  });
  try {
    await use({
      backup,
      deliverer,
      send: (to = [RECIPIENT], message = MESSAGE, signal) =>
        deliverer.deliver({ envelope: { from: SENDER, to }, message }, signal && { signal }),
    });
  } finally {
    await deliverer.close();
    await backup.close();
  }
}

interface SmtpSetUp {
  readonly script?: SmtpServerOptions;
  readonly pool: boolean;
  readonly deliverer?: Partial<DelivererOptions>;
}

/** One of nodemailer's SMTP transporters, over a server of its own. */
async function withSmtp(
  { script, pool, deliverer }: SmtpSetUp,
  use: (wrapped: Wrapped & { readonly own: SmtpTestServer }) => Promise<void>,
): Promise<void> {
  const own = await startSmtpServer(script);
  const options = { host: own.host, port: own.port, pool, maxRequeues: 0, socketTimeout: 5_000 };
  const transporter = createTransport(options as TransportConfig);
  try {
    await withWrapped(transporter, (wrapped) => use({ ...wrapped, own }), deliverer);
  } finally {
    transporter.close();
    own.release();
    await own.close();
  }
}

describe.each([false, true])("nodemailer's SMTP transport, pool: %j", (pool) => {
  it('delivers, byte for byte, with the reply of the server', async () => {
    await withSmtp({ pool, script: { script: '250@final-reply 2.0.0 ok' } }, async ({ send, own, backup }) => {
      const outcome = await send([RECIPIENT, 'other@example.com'], SHORT);
      expect(outcome.recipients).toEqual(
        [RECIPIENT, 'other@example.com'].map((recipient) => ({
          recipient,
          status: 'delivered',
          relay: 'own',
          reply: { code: 250, enhanced: '2.0.0', text: 'ok' },
        })),
      );
      expect(own.messages[0]!.data.equals(SHORT)).toBe(true);
      expect(backup.connections).toBe(0);
    });
  });

  it('sends bounces with the null sender', async () => {
    await withSmtp({ pool }, async ({ deliverer, own }) => {
      await deliverer.deliver({ envelope: { from: '', to: [RECIPIENT] }, message: MESSAGE });
      expect(own.messages[0]!.from).toBe('');
    });
  });

  const SAFE: readonly [string, RegExp][] = [
    ['refused', /lost at (connect|envelope): next-relay, cool/],
    ['554@greeting no', /reply 554 at connect: next-relay, cool|lost at (connect|envelope): next-relay, cool/],
    ['421@mail closing', /reply 421 at envelope: next-relay, cool|lost at envelope: next-relay, cool/],
    ['close@ehlo', /lost at \w+: next-relay, cool/],
    ['close@rcpt', /lost at envelope: next-relay, cool/],
    ['reset@data', /lost at envelope: next-relay, cool/],
    ['450@rcpt 4.2.1 busy', /reply 450 at envelope: next-relay$/],
    ['451@final-reply 4.3.0 busy', /reply 451 at final-reply: next-relay$/],
  ];

  test.each(SAFE)('%s: the next relay gets it', async (script, attempt) => {
    await withSmtp({ pool, script: { script } }, async ({ send, backup, own }) => {
      const outcome = await send();
      expect(toldAttempt(outcome.attempts[0]!)).toMatch(attempt);
      expect(toldOutcome(outcome)).toBe('delivered by backup');
      expect(backup.messages).toHaveLength(1);
      expect(own.messages).toEqual([]);
    });
  });

  it('lost in mid-body is not lost after the dot', async () => {
    await withSmtp({ pool, script: { script: 'close@body' } }, async ({ send, own }) => {
      const outcome = await send(undefined, messageOf(8_000_000));
      expect(toldAttempt(outcome.attempts[0]!)).toBe('lost at data: next-relay, cool');
      expect(own.received).toEqual([]);
    });
  });

  test.each(['close@final-reply', 'reset@final-reply'])(
    '%s: possibly delivered, and no other relay',
    async (script) => {
      await withSmtp({ pool, script: { script } }, async ({ send, backup, own }) => {
        expect(toldOutcome(await send())).toBe('possibly-delivered by own');
        expect(backup.connections).toBe(0);
        expect(own.received).toHaveLength(1);
      });
    },
  );

  it('550 rejects, and only whom it concerns', async () => {
    await withSmtp({ pool, script: { script: '550@rcpt(no@example.com) 5.1.1 no' } }, async ({ send, backup }) => {
      const outcome = await send(['no@example.com', RECIPIENT]);
      expect(toldOutcome(outcome)).toBe(`no@example.com rejected: 550; ${RECIPIENT} delivered by own`);
      expect(backup.connections).toBe(0);
    });
  });

  const AT_MAIL: readonly [string, string][] = [
    ['550@mail 5.7.1 sender not allowed', 'rejected: 550'],
    ['450@mail 4.7.1 not now', 'delivered by backup'],
  ];

  test.each(AT_MAIL)('%s decides for all, whatever is said to the recipients behind it', async (script, told) => {
    await withSmtp({ pool, script: { script } }, async ({ send }) => {
      const outcome = await send([RECIPIENT, 'other@example.com']);
      expect(toldAttempt(outcome.attempts[0]!)).toMatch(`reply ${script.slice(0, 3)} at envelope: `);
      expect(toldOutcome(outcome)).toBe(told);
    });
  });

  it('an abort before the dot: nothing is sent, not even later', async () => {
    await withSmtp({ pool, script: { script: 'stall@data' } }, async ({ send, own, backup }) => {
      const abort = new AbortController();
      const sending = send(undefined, undefined, abort.signal);
      await own.until(({ sessions }) => sessions.some(({ stalled }) => stalled));
      abort.abort();
      expect(toldOutcome(await sending)).toBe('queue-for-later: aborted');
      own.release();
      await own.until(({ open }) => pool || open === 0);
      expect([...own.received, ...backup.received]).toEqual([]);
    });
  });

  it('an abort after the dot waits for the answer', async () => {
    await withSmtp({ pool, script: { script: 'stall@final-reply' } }, async ({ send, own }) => {
      const abort = new AbortController();
      const sending = send(undefined, undefined, abort.signal);
      await own.until(({ sessions }) => sessions.some(({ stalled }) => stalled));
      abort.abort();
      await new Promise((resolve) => setTimeout(resolve, 20));
      own.release();
      expect(toldOutcome(await sending)).toBe('delivered by own');
    });
  });

  it('the end of the time before the dot: the next relay, and never both', async () => {
    const deliverer = { attemptTimeoutMs: 300 };
    await withSmtp({ pool, script: { script: 'stall@rcpt' }, deliverer }, async ({ send, own, backup }) => {
      expect(toldOutcome(await send())).toBe('delivered by backup');
      own.release();
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(own.received).toEqual([]);
      expect(backup.messages).toHaveLength(1);
    });
  });

  it('stays open when the deliverer closes', async () => {
    const own = await startSmtpServer();
    const transporter = createTransport({ host: own.host, port: own.port, pool } as TransportConfig);
    await withWrapped(transporter, async ({ send }) => {
      await send();
    });
    await transporter.sendMail({ from: SENDER, to: RECIPIENT, text: 'x' });
    expect(own.messages).toHaveLength(2);
    transporter.close();
    await own.close();
  });
});

it('a pool that tries again by itself cannot send twice what may have arrived', async () => {
  const own = await startSmtpServer({ script: ['close@final-reply', '250'] });
  const transporter = createTransport({ host: own.host, port: own.port, pool: true });
  await withWrapped(transporter, async ({ send, backup }) => {
    expect(toldOutcome(await send())).toBe('possibly-delivered by own');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(own.received).toHaveLength(1);
    expect(backup.connections).toBe(0);
  });
  transporter.close();
  await own.close();
});

describe("nodemailer's other transports", () => {
  it('JSON gets the parts of a composed message, and only the recipients of this attempt', async () => {
    const told: string[] = [];
    const json = createTransport({ jsonTransport: true });
    const { transporter } = json;
    const spy = {
      name: 'spy',
      version: '1',
      send: (mail: never, done: (error: Error | null, info?: { message: string }) => void) => {
        transporter.send(mail, (error, info) => {
          told.push(info!.message);
          done(error, info);
        });
      },
    };
    const routed = new RoutedTransport({
      routes: defineRoutes({
        relays: { spy: { transport: spy } },
        routes: [
          { match: 'other.test', action: 'discard' },
          { match: 'ALL', tiers: [['spy']] },
        ],
      }),
    });
    const mail = { from: 'a@example.org', to: ['b@example.com', 'c@other.test'], subject: 'S', html: '<p>x</p>' };
    const info = await createTransport(routed).sendMail({ ...mail, text: Readable.from(['streamed']) });
    expect(info.accepted).toEqual(mail.to);
    const [message] = told.map((text) => JSON.parse(text) as Record<string, unknown>);
    expect(message).toMatchObject({
      from: { address: 'a@example.org' },
      to: [{ address: 'b@example.com' }],
      subject: 'S',
      html: '<p>x</p>',
      messageId: info.messageId,
    });
  });

  it('streams get the rendered bytes', async () => {
    const messages: Buffer[] = [];
    const stream = createTransport({ streamTransport: true, buffer: true });
    const { transporter } = stream;
    const spy = {
      send: (mail: never, done: (error: Error | null, info?: object) => void) => {
        transporter.send(mail, (error, info) => {
          messages.push(info!.message as Buffer);
          done(error, info);
        });
      },
    };
    await withWrapped(spy, async ({ send }) => {
      expect(toldOutcome(await send())).toBe('delivered by own');
      expect(messages[0]!.toString()).toBe(MESSAGE);
    });
  });

  it('sendmail: its exit decides', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'smtp-routes-test-'));
    const path = join(folder, 'sendmail');
    const script = (end: string): void => {
      writeFileSync(path, `#!/bin/sh\necho "$@" > ${folder}/args\ncat > ${folder}/mail\n${end}\n`);
      chmodSync(path, 0o755);
    };
    try {
      const sendmail = createTransport({ sendmail: true, path, newline: 'windows' });
      script('exit 0');
      await withWrapped(sendmail, async ({ send }) => {
        expect(toldOutcome(await send())).toBe('delivered by own');
        expect(readFileSync(join(folder, 'mail'), 'utf8')).toBe(MESSAGE);
        expect(readFileSync(join(folder, 'args'), 'utf8')).toBe(`-i -f ${SENDER} ${RECIPIENT}\n`);
        script('exit 75');
        // It may have queued the message before it failed.
        expect(toldOutcome(await send())).toBe('possibly-delivered by own');
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('SES gets raw message, From and destinations; its errors tell nothing, unless the hook says more', async () => {
    const commands: { Content: { Raw: { Data: Buffer } } }[] = [];
    let answer: () => Promise<unknown> = () => Promise.resolve({ MessageId: 'ses-1' });
    class SendEmailCommand {
      readonly input: (typeof commands)[number];
      constructor(input: (typeof commands)[number]) {
        this.input = input;
        commands.push(input);
      }
    }
    const ses = createTransport({ SES: { sesClient: { send: () => answer() }, SendEmailCommand } } as TransportConfig);
    const throttled = Object.assign(new Error('Too many'), { name: 'TooManyRequestsException' });
    const fail = (): Promise<never> => Promise.reject(throttled);
    await withWrapped(ses, async ({ send, backup }) => {
      expect(toldOutcome(await send())).toBe('delivered by own');
      expect(commands[0]).toMatchObject({ Destination: { ToAddresses: [RECIPIENT] } });
      expect(commands[0]).toHaveProperty('FromEmailAddress', expect.stringContaining('app@sender.example'));
      expect(commands[0]!.Content.Raw.Data.toString()).toBe(MESSAGE);
      answer = fail;
      expect(toldOutcome(await send())).toBe('possibly-delivered by own');
      expect(backup.connections).toBe(0);
    });
    const classify: DelivererOptions['classify'] = (failure, verdict) =>
      failure.kind === 'lost' && failure.message === 'Too many' ? { action: 'next-relay', cool: true } : verdict;
    await withWrapped(
      ses,
      async ({ send }) => {
        expect(toldOutcome(await send())).toBe('delivered by backup');
      },
      { classify },
    );
  });
});

type Callback = (error: unknown, info?: unknown) => void;
type Send = (mail: { data: Record<string, unknown> }, done: Callback) => unknown;

describe('a transport that somebody wrote', () => {
  const ANSWERS: readonly [what: string, send: Send, told: string][] = [
    ['succeeds', (_, done) => done(null, {}), 'delivered by own'],
    ['says nothing of what it did', (_, done) => done(null), 'delivered by own'],
    ['returns a promise', () => Promise.resolve({ messageId: '<1@x>' }), 'delivered by own'],
    [
      'is async and calls back',
      async (_, done) => {
        await Promise.resolve();
        done(null, {});
      },
      'delivered by own',
    ],
    [
      'calls back twice',
      (_, done) => {
        done(null, {});
        done(new Error('late'));
      },
      'delivered by own',
    ],
    ['fails without a code', (_, done) => done(new Error('oops')), 'possibly-delivered by own'],
    ['fails with no error at all', () => Promise.reject(new Error('no')), 'possibly-delivered by own'],
    ['rejects with a string', (_, done) => done('no'), 'possibly-delivered by own'],
    [
      'throws',
      () => {
        throw new Error('broken');
      },
      'possibly-delivered by own',
    ],
    [
      'was refused a connection, or so it says',
      (_, done) => done(Object.assign(new Error('x'), { code: 'ECONNREFUSED', syscall: 'connect' })),
      'possibly-delivered by own',
    ],
    [
      'has a permanent reply',
      (_, done) => done(Object.assign(new Error('no'), { responseCode: 550, response: '550 5.1.1 no' })),
      'rejected: 550',
    ],
    [
      'has a temporary reply',
      (_, done) => done(Object.assign(new Error('busy'), { code: 'EMESSAGE', responseCode: 451 })),
      'delivered by backup',
    ],
    [
      'has the wrong password',
      (_, done) => done(Object.assign(new Error('no'), { code: 'EAUTH', responseCode: 535, response: '535 no' })),
      'delivered by backup',
    ],
    [
      'accepts in a list of objects',
      (_, done) => done(null, { accepted: [{ address: RECIPIENT.toUpperCase() }] }),
      'delivered by own',
    ],
    [
      'accepts in a list of addresses with names',
      (_, done) => done(null, { accepted: [`U1 <${RECIPIENT}>`] }),
      'delivered by own',
    ],
    [
      'rejects in a list of addresses with names',
      (_, done) => done(null, { accepted: [], rejected: [`<${RECIPIENT}>`] }),
      'delivered by backup',
    ],
    [
      'rejects in a list, without a reason',
      (_, done) => done(null, { accepted: [], rejected: [RECIPIENT] }),
      'delivered by backup',
    ],
    ['does not name the recipient', (_, done) => done(null, { accepted: [] }), 'possibly-delivered by own'],
  ];

  test.each(ANSWERS)('that %s', async (_, send, told) => {
    for (const transport of [
      { name: 'x', version: '1', send },
      createTransport({ name: 'x', version: '1', send } as never),
    ]) {
      await withWrapped(transport, async ({ send: deliver }) => {
        expect(toldOutcome(await deliver())).toBe(told);
      });
    }
  });

  it('that never answers is given up when the time is over', async () => {
    await withWrapped(
      { send: () => undefined },
      async ({ send, backup }) => {
        expect(toldOutcome(await send())).toBe('possibly-delivered by own');
        expect(backup.connections).toBe(0);
      },
      { attemptTimeoutMs: 50 },
    );
  });

  it('that only has sendMail is given a finished message', async () => {
    const mails: { envelope: object; raw: Readable }[] = [];
    const texts: string[] = [];
    const transporter = {
      sendMail: async (mail: (typeof mails)[number]) => {
        mails.push(mail);
        texts.push((await mail.raw.toArray()).join(''));
        return { response: '250 ok' };
      },
    };
    await withWrapped(transporter, async ({ send }) => {
      expect(toldOutcome(await send())).toBe('delivered by own');
      expect(mails[0]!.envelope).toEqual({ from: SENDER, to: [RECIPIENT] });
      expect(texts).toEqual([MESSAGE]);
    });
  });

  it('takes as many messages at once as there are', async () => {
    let open = 0;
    let most = 0;
    const transport = {
      send: (_: object, done: Callback) => {
        most = Math.max(most, ++open);
        setTimeout(() => {
          open--;
          done(null, {});
        }, 20);
      },
    };
    await withWrapped(transport, async ({ send }) => {
      await Promise.all(Array.from({ length: 50 }, () => send()));
      expect(most).toBe(50);
    });
  });

  it('what it says of a wrong password is what verify() says', async () => {
    const said = { code: 'EAUTH', command: 'AUTH PLAIN', responseCode: 535, response: '535 5.7.8 no' };
    const own = { send: () => undefined, verify: (done: Callback) => done(Object.assign(new Error('no'), said)) };
    const routes = defineRoutes({ relays: { own: { transport: own } }, routes: [], otherwise: 'reject' });
    const error: unknown = await new RoutedTransport({ routes }).verify().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ ...said, relays: ['own'] });
    expect(error).not.toHaveProperty('originalCode');
  });

  it('one that never answers is named, and not waited for for ever', async () => {
    const silent = { send: () => undefined, verify: () => undefined };
    const routes = defineRoutes({ relays: { silent: { transport: silent } }, routes: [], otherwise: 'reject' });
    await expect(new RoutedTransport({ routes, attemptTimeoutMs: 20 }).verify()).rejects.toMatchObject({
      message: 'relays that cannot be used: silent: no answer within 20 ms',
      code: 'ETIMEDOUT',
      relays: ['silent'],
    });
  });

  it('is asked to verify', async () => {
    const failing = { send: () => undefined, verify: () => Promise.reject(new Error('wrong key')) };
    const able = { send: () => undefined, verify: (done: Callback) => done(null, true) };
    const unable = { send: () => undefined };
    const routes = defineRoutes({
      relays: { failing: { transport: failing }, able: { transport: able }, unable: { transport: unable } },
      routes: [],
      otherwise: 'reject',
    });
    const routed = new RoutedTransport({ routes });
    await expect(createTransport(routed).verify()).rejects.toMatchObject({ relays: ['failing'], code: 'ECONNECTION' });
  });
});

test.each([false, true])(
  'parts that were streams are there for a plugin, at a second relay too: %j',
  async (second) => {
    const seen: unknown[] = [];
    const plugin = {
      name: 'api',
      version: '1',
      send(mail: { data: Parts; normalize(done: (error: Error | null, data: Parts) => void): void }, done: Done) {
        mail.normalize((error, { text, attachments }) => {
          seen.push([text, attachments?.map(decoded)]);
          done(error, {});
        });
      },
    };
    await using full = await startSmtpServer({ script: '431@greeting Mail system full' });
    const routed = new RoutedTransport({
      routes: defineRoutes({
        relays: { full: { host: full.host, port: full.port }, api: { transport: plugin } },
        routes: [{ match: 'ALL', tiers: second ? [['full'], ['api']] : [['api']] }],
      }),
    });
    const attachments = [{ content: Readable.from(['by ', 'stream']) }, { content: 'as text' }];
    await createTransport(routed).sendMail({
      ...{ from: SENDER, to: RECIPIENT, subject: 'Parts' },
      text: Readable.from(['Grüße']),
      attachments,
    });
    await routed.close();
    expect(seen).toEqual([['Grüße', ['by stream', 'as text']]]);
  },
);

test('parts that are MIME already, as streams, are there for a plugin, and in the message', async () => {
  const node = (text: string): object => ({ raw: Readable.from([`Content-Type: text/plain\r\n\r\n${text}`]) });
  const seen: string[] = [];
  const plugin = {
    name: 'api',
    version: '1',
    async send({ data, message }: { data: Record<string, unknown>; message: { createReadStream(): Readable } }) {
      const { text, attachments, alternatives } = data as Record<string, { raw: unknown } & { raw: unknown }[]>;
      seen.push(...[text, attachments![0], alternatives![0]].map((part) => String(part!.raw).slice(28)));
      seen.push((await message.createReadStream().toArray()).join(''));
      return {};
    },
  };
  const routed = new RoutedTransport({
    routes: defineRoutes({ relays: { api: { transport: plugin } }, routes: [{ match: 'ALL', tiers: [['api']] }] }),
  });
  await createTransport(routed).sendMail({
    ...{ from: SENDER, to: RECIPIENT, text: node('first') },
    ...{ attachments: [node('second')], alternatives: [node('third')] },
  });
  await routed.close();
  const message = seen.pop();
  expect(seen).toEqual(['first', 'second', 'third']);
  for (const text of seen) expect(message).toContain(`\r\n\r\n${text}`);
});

test('behind a queue a plugin gets the whole message, and never its parts without those that were streams', async () => {
  const seen: unknown[] = [];
  const plugin = {
    name: 'api',
    version: '1',
    send(mail: { data: Parts & { readonly raw?: unknown } }, done: Done) {
      seen.push(mail.data.attachments, String(mail.data.raw).includes(Buffer.from('by stream').toString('base64')));
      done(null, {});
    },
  };
  const deliverer = new Deliverer({
    routes: defineRoutes({ relays: { api: { transport: plugin } }, routes: [{ match: 'ALL', tiers: [['api']] }] }),
    transport: nodemailerTransport(),
  });
  const queue = memoryQueue({ deliverer });
  const routed = new RoutedTransport({ queue });
  const attachments = [
    { filename: 'a.bin', content: Readable.from(['by ', 'stream']) },
    { filename: 'b.bin', content: 'as text' },
  ];
  await createTransport(routed).sendMail({ from: SENDER, to: RECIPIENT, attachments });
  await routed.close();
  await queue.close();
  expect(seen).toEqual([undefined, true]);
});

/** A provider's plugin that takes a finished message where there is one, and keeps what it got. */
function rawPlugin(seen: unknown[], answers: readonly object[] = []): object {
  const left = [...answers];
  return {
    name: 'api',
    version: '1',
    send(
      mail: { data: { raw?: unknown }; normalize(done: (error: Error | null, data: Parts) => void): void },
      done: Done,
    ) {
      mail.normalize((error, { raw, text, attachments }) => {
        seen.push([Buffer.isBuffer(raw) ? raw.toString() : raw, text, attachments]);
        const refusal = left.shift();
        if (refusal) done(Object.assign(new Error('slow'), refusal), {});
        else done(error, {});
      });
    },
  };
}

it.each([false, true])('a message that breaks off is no fault of the relay (pool: %s)', async (pool) => {
  const broken = {
    open: () =>
      Readable.from(
        (function* () {
          yield Buffer.from(MESSAGE);
          throw new Error('disk');
        })(),
        { objectMode: false },
      ),
  };
  await withSmtp({ pool }, async ({ send, backup, own }) => {
    const outcome = await send(undefined, broken);
    expect(outcome.recipients[0]).toMatchObject({
      status: 'queue-for-later',
      failure: { kind: 'aborted', message: 'the message could not be read: disk' },
    });
    expect(toldOutcome(await send())).toBe('delivered by own');
    expect([own.messages.length, backup.connections]).toEqual([1, 0]);
  });
});

describe('a plugin that builds its own request from a finished message', () => {
  const source = { open: () => Readable.from([MESSAGE.slice(0, 20), MESSAGE.slice(20)]), size: MESSAGE.length };
  const FORMS: readonly [what: string, message: Mail['message']][] = [
    ['a string', MESSAGE],
    ['bytes', new TextEncoder().encode(MESSAGE)],
    ['a source', source],
  ];

  test.each(FORMS)('gets it whole where it was given as %s', async (_, message) => {
    const seen: unknown[] = [];
    await withWrapped(rawPlugin(seen), async ({ send }) => {
      expect(toldOutcome(await send(undefined, message))).toBe('delivered by own');
    });
    expect(seen).toEqual([[MESSAGE, undefined, undefined]]);
  });

  it('gets it at every attempt', async () => {
    const seen: unknown[] = [];
    await withWrapped(rawPlugin(seen, [{ responseCode: 450 }]), async ({ send }) => {
      expect(toldOutcome(await send(undefined, source))).toBe('delivered by backup');
      expect(toldOutcome(await send(undefined, source))).toBe('delivered by own');
    });
    expect(seen).toEqual([1, 2].map(() => [MESSAGE, undefined, undefined]));
  });

  it("gets the app's own raw message where it was spooled", async () => {
    const seen: unknown[] = [];
    const routed = new RoutedTransport({
      routes: defineRoutes({
        relays: { api: { transport: rawPlugin(seen) } },
        routes: [{ match: 'ALL', tiers: [['api']] }],
      }),
      spoolAboveBytes: 10,
    });
    await createTransport(routed).sendMail({ envelope: { from: SENDER, to: RECIPIENT }, raw: MESSAGE });
    await routed.close();
    expect(seen).toEqual([[MESSAGE, undefined, undefined]]);
  });

  it('is not asked where the message cannot be read', async () => {
    const seen: unknown[] = [];
    const broken = {
      open: () =>
        new Readable({
          read() {
            this.destroy(new Error('disk'));
          },
        }),
    };
    await withWrapped(rawPlugin(seen), async ({ send, backup }) => {
      const outcome = await send(undefined, broken);
      expect(outcome.recipients[0]).toMatchObject({
        status: 'queue-for-later',
        failure: { kind: 'aborted', message: 'the message could not be read: disk' },
      });
      expect(backup.connections).toBe(0);
    });
    expect(seen).toEqual([]);
  });

  it('is not asked where the message never ends', async () => {
    const seen: unknown[] = [];
    const opened: Readable[] = [];
    const stalled = {
      open: () => {
        const stream = new Readable({ read: () => undefined });
        stream.push(MESSAGE);
        opened.push(stream);
        return stream;
      },
    };
    await withWrapped(rawPlugin(seen), async ({ send }) => {
      const abort = new AbortController();
      const sending = send(undefined, stalled, abort.signal);
      setImmediate(() => abort.abort());
      expect(toldOutcome(await sending)).toBe('queue-for-later: aborted');
      expect(opened.every(({ destroyed }) => destroyed)).toBe(true);
    });
    expect(seen).toEqual([]);
  });
});

interface Parts {
  readonly raw?: unknown;
  readonly text?: unknown;
  readonly attachments?: readonly Attachment[];
}

interface Attachment {
  readonly content?: unknown;
  readonly encoding?: string;
}

/** As `normalize` leaves it: bytes in base64. */
function decoded({ content, encoding }: Attachment): string {
  return encoding === 'base64' ? Buffer.from(String(content), 'base64').toString() : String(content);
}

type Done = (error: Error | null, info: object) => void;

test('a transport without send is refused when it is defined, by name', () => {
  const make = (): unknown => defineRoutes({ relays: { own: { transport: {} } }, routes: [], otherwise: 'reject' });
  expect(make).toThrow(RouteConfigError);
  expect(make).toThrow('relays.own.transport: must be a nodemailer transport (with a `send` function)');
});

describe('what a transporter does before its transport is called, which a relay does not', () => {
  const dkim = { domainName: 'sender.example', keySelector: 's', privateKey: dkimKey() };
  const mail = { from: SENDER, to: RECIPIENT, text: 'x' };
  const json = (): TransportConfig => ({ jsonTransport: true });
  const routesTo = (transport: object): RouteTable =>
    defineRoutes({ relays: { own: { transport } }, routes: [{ match: 'ALL', tiers: [['own']] }] });
  const problems = (transport: object): unknown => {
    try {
      return routesTo(transport);
    } catch (error) {
      return (error as RouteConfigError).problems;
    }
  };
  const UNSIGNED = {
    path: 'relays.own.transport',
    message:
      'its dkim would sign nothing: give it to the second argument of createTransport, beside the RoutedTransport',
  };
  const UNUSED = {
    path: 'relays.own.transport',
    message: 'its plugins would not run: call use() on the transporter of the RoutedTransport',
  };

  it('is refused: dkim of its own, plugins of the app', () => {
    expect(problems(createTransport({ ...json(), dkim } as TransportConfig))).toEqual([UNSIGNED]);
    expect(problems(createTransport(json(), { dkim }))).toEqual([UNSIGNED]);
    const pool = createTransport({ host: '127.0.0.1', pool: true, dkim } as TransportConfig);
    for (const step of ['compile', 'stream', 'other']) {
      pool.use(step, (_, done) => done());
      expect(problems(pool)).toEqual([UNSIGNED, UNUSED]);
    }
    pool.close();
  });

  it('is not looked for anywhere else', () => {
    const send = (): undefined => undefined;
    const plugin = { name: 'x', version: '1', send };
    const TAKEN: readonly object[] = [
      plugin,
      { ...plugin, dkim, _userPlugins: { compile: [send] } },
      createTransport(plugin as never),
      createTransport({ host: '127.0.0.1' }, { headers: { 'x-default': '1' } }),
      createTransport(json()),
      // Asked to send as an app asks it, this does all that it does.
      { sendMail: send, dkim, _userPlugins: { compile: [send] } },
      { sendMail: send, transporter: plugin, dkim: false, _userPlugins: 'x', _defaults: null },
      { sendMail: send, transporter: plugin, _userPlugins: { compile: null, stream: [] } },
    ];
    for (const transport of TAKEN) expect(problems(transport)).toHaveProperty('relays');
  });

  it('is done by the routed transporter', async () => {
    await using own = await startSmtpServer();
    const transport = createTransport({ host: own.host, port: own.port });
    const routed = new RoutedTransport({ routes: routesTo(transport) });
    const transporter = createTransport(routed, { dkim, headers: { 'X-Default': '1' } });
    transporter.use('compile', ({ data }, done) => {
      Object.assign(data.headers!, { 'X-Plugin': '1' });
      done();
    });
    await transporter.sendMail(mail);
    await routed.close();
    const [message] = own.messages.map(({ data }) => data.toString());
    for (const header of ['DKIM-Signature: ', 'X-Default: 1', 'X-Plugin: 1']) expect(message).toContain(header);
  });
});

test('an abort reaches a transport that takes signals', async () => {
  const abort = new AbortController();
  const transport = {
    supportsAbortSignal: true,
    send: ({ data }: { data: { signal: AbortSignal } }, done: Callback) => {
      data.signal.addEventListener('abort', () => done(Object.assign(new Error('stopped'), { code: 'EABORT' })));
      abort.abort();
    },
  };
  await withWrapped(transport, async ({ send }) => {
    // It may have sent the message before it stopped.
    expect(toldOutcome(await send(undefined, undefined, abort.signal))).toBe('possibly-delivered by own');
  });
});
