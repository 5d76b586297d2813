/**
 * `RoutedTransport` as an app sees it: through `createTransport` and `sendMail`, over real sockets.
 */
import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { Readable, Transform } from 'node:stream';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTransport } from 'nodemailer';
import { Deliverer, defineRoutes, RouteConfigError } from 'smtp-routes';
import { RoutedMailError, RoutedTransport } from 'smtp-routes/nodemailer';
import { recordEvents, ScriptedTransport } from 'smtp-routes/testing';
import { describe, expect, it, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { problemsOf } from '../core/problems-of.js';
import { FINAL_DOT, MAIL, refusal, withRouted } from './routed.js';

const bodyOf = (data: Buffer | undefined): string => data?.toString() ?? '';

describe('sendMail', () => {
  it('resolves with what nodemailer says of an SMTP send, and the outcome', async () => {
    await withRouted({ first: { script: '250@final-reply 2.0.0 queued as 1' } }, async ({ transporter, first }) => {
      const info = await transporter.sendMail({ ...MAIL, cc: 'Other <other@example.com>', bcc: 'hidden@example.com' });
      const to = ['user@example.com', 'other@example.com', 'hidden@example.com'];
      expect(info).toMatchObject({
        envelope: { from: 'app@sender.example', to },
        accepted: to,
        rejected: [],
        pending: [],
        response: '250 2.0.0 queued as 1',
      });
      expect(info.messageId).toMatch(/^<.+@sender\.example>$/);
      expect(info).not.toHaveProperty('rejectedErrors');
      expect(info.messageSize).toBe(first.messages[0]!.data.length + FINAL_DOT);
      expect(info.envelopeTime).toBeGreaterThanOrEqual(0);
      expect(info.messageTime).toBeGreaterThanOrEqual(0);
      expect(info.outcome.recipients.map(({ status }) => status)).toEqual(['delivered', 'delivered', 'delivered']);
      const body = bodyOf(first.messages[0]!.data);
      expect(body).toContain(`Message-ID: ${info.messageId}`);
      expect(body).not.toContain('hidden@');
    });
  });

  it('calls back where there is a callback', async () => {
    await withRouted({}, async ({ transporter, first }) => {
      const info = await new Promise((resolve, reject) => {
        transporter.sendMail(MAIL, (error, sent) => {
          if (error) reject(error);
          else resolve(sent);
        });
      });
      expect(info).toMatchObject({ accepted: ['user@example.com'] });
      expect(first.messages).toHaveLength(1);
    });
  });

  it('sends the same bytes to the second host, signed once', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const dkim = {
      domainName: 'sender.example',
      keySelector: 'k',
      privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    };
    await withRouted({ first: { script: '451@final-reply 4.3.0 busy' } }, async ({ transporter, first, second }) => {
      const content = Readable.from([Buffer.from('from a stream, '), Buffer.from('read once')]);
      const info = await transporter.sendMail({ ...MAIL, dkim, attachments: [{ filename: 'a.txt', content }] });
      expect(info.outcome.attempts.map(({ relay }) => relay)).toEqual(['first', 'second']);
      expect(first.received[0]!.data.equals(second.messages[0]!.data)).toBe(true);
      const body = bodyOf(second.messages[0]!.data);
      expect(body.match(/^DKIM-Signature:/gm)).toHaveLength(1);
      expect(body).toContain(Buffer.from('from a stream, read once').toString('base64'));
    });
  });

  it('sends attachments from files and URLs, and takes raw messages', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'smtp-routes-test-'));
    const web = createServer((_, response) => response.end('from the web')).listen(0, '127.0.0.1');
    await once(web, 'listening');
    try {
      writeFileSync(join(folder, 'a.txt'), 'from a file');
      const href = `http://127.0.0.1:${String((web.address() as AddressInfo).port)}/b.txt`;
      await withRouted({}, async ({ transporter, first }) => {
        await transporter.sendMail({
          ...MAIL,
          attachments: [{ path: join(folder, 'a.txt') }, { href, filename: 'b.txt' }],
        });
        await transporter.sendMail({
          envelope: { from: 'a@sender.example', to: ['b@example.com'] },
          raw: 'Subject: raw\n\n.dot\n',
        });
        const [composed, raw] = first.messages.map(({ data }) => bodyOf(data));
        expect(composed).toContain(Buffer.from('from a file').toString('base64'));
        expect(composed).toContain(Buffer.from('from the web').toString('base64'));
        expect(raw).toBe('Subject: raw\r\n\r\n.dot\r\n');
      });
    } finally {
      web.close();
      rmSync(folder, { recursive: true });
    }
  });

  it('runs plugins: compile before it is composed, stream on the composed message', async () => {
    await withRouted({}, async ({ transporter, first }) => {
      transporter.use('compile', (mail, done) => {
        mail.data.subject = 'changed';
        done();
      });
      transporter.use('stream', (mail, done) => {
        mail.message.transform(
          new Transform({
            transform: (chunk: Buffer, _, next) => next(null, chunk.toString().replace('there', 'world')),
          }),
        );
        done();
      });
      await transporter.sendMail(MAIL);
      expect(bodyOf(first.messages[0]!.data)).toMatch(/Subject: changed[^]*Hello world\./);
    });
  });

  it('passes on dsn, 8BITMIME and the null sender of the envelope', async () => {
    const extensions = ['PIPELINING', 'DSN', '8BITMIME', 'ENHANCEDSTATUSCODES', 'SIZE 100000'];
    await withRouted({ first: { extensions } }, async ({ transporter, first }) => {
      await transporter.sendMail({
        ...MAIL,
        envelope: { from: '', to: ['user@example.com'], use8BitMime: true },
        dsn: { id: 'env-1', return: 'headers', notify: ['failure', 'delay'], recipient: 'user@example.com' },
      });
      const { from, mailArgs, rcptArgs } = first.messages[0]!;
      expect(from).toBe('');
      expect(mailArgs).toMatch(/BODY=8BITMIME.* SIZE=\d+ RET=HDRS ENVID=env-1/);
      expect(rcptArgs).toEqual(['NOTIFY=FAILURE,DELAY ORCPT=rfc822;user@example.com']);
    });
  });

  it('does not send to a server without REQUIRETLS what requires it', async () => {
    await withRouted({}, async ({ transporter, first, second }) => {
      const error = await refusal(transporter.sendMail({ ...MAIL, requireTLSExtensionEnabled: true }));
      expect(error).toMatchObject({ code: 'EREQUIRETLS', rejected: ['user@example.com'] });
      expect([...first.received, ...second.received]).toEqual([]);
    });
  });

  it('opens sockets where the app says', async () => {
    await withRouted({}, async ({ transporter, first }) => {
      const asked: unknown[] = [];
      transporter.getSocket = (options, callback) => {
        asked.push(options.port);
        const connection = connect(options.port as number, '127.0.0.1', () => callback(null, { connection }));
      };
      await transporter.sendMail(MAIL);
      expect(asked).toEqual([first.port]);
      expect(first.messages).toHaveLength(1);
    });
  });
});

describe('when recipients are refused', () => {
  it('a partial refusal resolves, with the error of each', async () => {
    await withRouted({ first: { script: '550@rcpt(no@example.com) 5.1.1 nobody' } }, async ({ transporter }) => {
      const info = await transporter.sendMail({ ...MAIL, to: ['user@example.com', 'no@example.com'] });
      expect(info).toMatchObject({ accepted: ['user@example.com'], rejected: ['no@example.com'], pending: [] });
      expect(info.rejectedErrors).toEqual([
        expect.objectContaining({
          recipient: 'no@example.com',
          code: 'EENVELOPE',
          responseCode: 550,
          response: '550 5.1.1 nobody',
          command: 'RCPT TO',
        }),
      ]);
    });
  });

  it('one that nobody will try again is rejected as well as pending', async () => {
    const busy = { script: '450@rcpt(busy@example.com) 4.2.1 busy' };
    await withRouted({ first: busy, second: busy }, async ({ transporter }) => {
      const info = await transporter.sendMail({ ...MAIL, to: ['user@example.com', 'busy@example.com'] });
      expect(info).toMatchObject({
        accepted: ['user@example.com'],
        rejected: ['busy@example.com'],
        pending: ['busy@example.com'],
      });
      expect(info.rejectedErrors![0]).toMatchObject({ responseCode: 450, code: 'EENVELOPE' });
    });
  });

  const EVERYWHERE: readonly [string, object][] = [
    ['550@rcpt 5.1.1 nobody', { code: 'EENVELOPE', responseCode: 550, response: '550 5.1.1 nobody', permanent: true }],
    ['554@final-reply 5.7.1 spam', { code: 'EMESSAGE', command: 'DATA', responseCode: 554, permanent: true }],
    [
      '550@mail 5.7.1 not you',
      { code: 'EENVELOPE', command: 'MAIL FROM', message: 'Mail command failed: 550 5.7.1 not you' },
    ],
    ['554@data 5.7.1 no', { code: 'EENVELOPE', command: 'DATA', message: 'Data command failed: 554 5.7.1 no' }],
    ['450@rcpt 4.2.1 busy', { code: 'EDEFERRED', responseCode: 450, pending: ['user@example.com'], permanent: false }],
    ['451@mail', { code: 'EDEFERRED', command: 'MAIL FROM' }],
    ['451@data', { code: 'EDEFERRED', command: 'DATA' }],
    ['554@greeting go away', { code: 'EDEFERRED', responseCode: 554, permanent: false }],
    ['refused', { code: 'EDEFERRED', originalCode: 'ECONNREFUSED' }],
    ['close@ehlo', { code: 'EDEFERRED' }],
    ['close@final-reply', { code: 'EUNCERTAIN', pending: ['user@example.com'], permanent: false }],
  ];

  test.each(EVERYWHERE)('%s at every relay', async (script, expected) => {
    await withRouted({ first: { script }, second: { script } }, async ({ transporter }) => {
      const error = await refusal(transporter.sendMail(MAIL));
      expect(error).toBeInstanceOf(RoutedMailError);
      expect(error).toMatchObject({ rejected: ['user@example.com'], ...expected });
      expect(error.rejectedErrors).toHaveLength(1);
      expect(error.outcome.recipients).toHaveLength(1);
    });
  });

  it('a discarded recipient counts as accepted', async () => {
    await withRouted({}, async ({ transporter, first }) => {
      const info = await transporter.sendMail({ ...MAIL, to: 'user@void.test' });
      expect(info).toMatchObject({ accepted: ['user@void.test'], rejected: [], response: 'discarded by a route' });
      expect(first.connections).toBe(0);
    });
  });

  it('too large for every relay is EMESSAGE, and nothing is sent', async () => {
    const small = { extensions: ['SIZE 1000'] };
    await withRouted({ first: small, second: small }, async ({ transporter, first }) => {
      const error = await refusal(transporter.sendMail({ ...MAIL, text: 'x'.repeat(2000) }));
      expect(error).toMatchObject({ code: 'EMESSAGE', command: 'MAIL FROM', permanent: true });
      expect(first.received).toEqual([]);
    });
  });
});

describe('what cannot be sent', () => {
  it('no recipients: EENVELOPE', async () => {
    await withRouted({}, async ({ transporter }) => {
      const error = await refusal(transporter.sendMail({ from: MAIL.from, subject: 'x' }));
      expect(error).toMatchObject({ code: 'EENVELOPE', message: 'No recipients defined', outcome: { recipients: [] } });
    });
  });

  test.each([1, 2 ** 20])(
    'a stream that fails half-way is ESTREAM, and nothing is sent (spooled above %i)',
    async (spoolAboveBytes) => {
      const spoolDirectory = mkdtempSync(join(tmpdir(), 'smtp-routes-test-'));
      await withRouted({ options: { spoolAboveBytes, spoolDirectory } }, async ({ transporter, first }) => {
        const content = Readable.from(
          (function* () {
            yield Buffer.alloc(200_000, 'x');
            throw new Error('the disk is gone');
          })(),
        );
        const error = await refusal(transporter.sendMail({ ...MAIL, attachments: [{ filename: 'a', content }] }));
        expect(error).toMatchObject({ code: 'ESTREAM', message: 'the disk is gone', pending: ['user@example.com'] });
        expect(error.outcome.recipients[0]).toMatchObject({ status: 'queue-for-later' });
        expect(first.connections).toBe(0);
      });
      expect(readdirSync(spoolDirectory)).toEqual([]);
      rmSync(spoolDirectory, { recursive: true });
    },
  );

  it('a file that is not there is ESTREAM, with the code of the system', async () => {
    await withRouted({}, async ({ transporter }) => {
      const error = await refusal(transporter.sendMail({ ...MAIL, attachments: [{ path: '/nowhere/at/all' }] }));
      expect(error).toMatchObject({ code: 'ESTREAM', originalCode: 'ENOENT' });
    });
  });

  it('an attachment that never comes does not hold a message for ever', async () => {
    await withRouted({ options: { deadlineMs: 50 } }, async ({ transporter }) => {
      const content = new Readable({ read: () => undefined });
      const error = await refusal(transporter.sendMail({ ...MAIL, attachments: [{ filename: 'a', content }] }));
      expect(error).toMatchObject({ code: 'ESTREAM' });
    });
  });

  it('after close() it is ECONNECTION', async () => {
    await withRouted({}, async ({ transporter, transport }) => {
      await transport.close();
      expect(await refusal(transporter.sendMail(MAIL))).toMatchObject({ code: 'ECONNECTION' });
    });
  });
});

describe('signal', () => {
  it.each(['ehlo', 'rcpt', 'data'])(
    'ends a send that stands still at %s: EABORT, and nothing is sent',
    async (stage) => {
      await withRouted({ first: { script: `stall@${stage}` } }, async ({ transporter, first, second }) => {
        const controller = new AbortController();
        const sending = refusal(transporter.sendMail({ ...MAIL, signal: controller.signal }));
        await first.until(({ sessions }) => sessions.some(({ stalled }) => stalled));
        controller.abort(new Error('the user left'));
        const error = await sending;
        expect(error).toMatchObject({ name: 'AbortError', code: 'EABORT', cause: { message: 'the user left' } });
        expect(error.outcome.recipients[0]).toMatchObject({ status: 'queue-for-later', failure: { kind: 'aborted' } });
        expect([...first.received, ...second.received]).toEqual([]);
      });
    },
  );

  it('that was aborted before sends nothing', async () => {
    await withRouted({}, async ({ transporter, first }) => {
      const error = await refusal(transporter.sendMail({ ...MAIL, signal: AbortSignal.abort() }));
      expect(error).toMatchObject({ name: 'AbortError', code: 'EABORT' });
      expect(first.connections).toBe(0);
    });
  });

  it('ends the rendering too', async () => {
    await withRouted({}, async ({ transporter, first }) => {
      const controller = new AbortController();
      const content = new Readable({ read: () => controller.abort() });
      const error = await refusal(
        transporter.sendMail({ ...MAIL, signal: controller.signal, attachments: [{ filename: 'a', content }] }),
      );
      expect(error).toMatchObject({ name: 'AbortError', code: 'EABORT' });
      expect(first.connections).toBe(0);
    });
  });

  it('that is no signal is ECONFIG', async () => {
    await withRouted({}, async ({ transporter }) => {
      const signal = 'soon' as unknown as AbortSignal;
      expect(await transporter.sendMail({ ...MAIL, signal }).catch((error: unknown) => error)).toMatchObject({
        code: 'ECONFIG',
      });
    });
  });
});

describe('large messages', () => {
  it('go through a file without a name, and arrive whole at the second host', async () => {
    const spoolDirectory = mkdtempSync(join(tmpdir(), 'smtp-routes-test-'));
    await withRouted(
      { first: { script: '451@final-reply busy' }, options: { spoolAboveBytes: 100_000, spoolDirectory } },
      async ({ transporter, first, second }) => {
        const content = Buffer.alloc(3_000_000, 'abcdefg');
        const sending = transporter.sendMail({ ...MAIL, attachments: [{ filename: 'a.bin', content }] });
        await first.until(({ open }) => open > 0);
        expect(readdirSync(spoolDirectory)).toEqual([]);
        const info = await sending;
        expect(info.messageSize).toBe(second.messages[0]!.data.length + FINAL_DOT);
        expect(first.received[0]!.data.equals(second.messages[0]!.data)).toBe(true);
      },
    );
    expect(readdirSync(spoolDirectory)).toEqual([]);
    rmSync(spoolDirectory, { recursive: true });
  });
});

describe('the rest of a transport', () => {
  it('has a name and a version, and says that it honours signals', () => {
    const transport = new RoutedTransport({ routes: defineRoutes({ relays: {}, routes: [], otherwise: 'reject' }) });
    expect(createTransport(transport).getVersionString()).toContain(`smtp-routes/${manifest.version}`);
    expect(transport.supportsAbortSignal).toBe(true);
    expect(transport).toBeInstanceOf(EventEmitter);
  });

  it('verify() tries every relay, and names those that cannot be used', async () => {
    await withRouted({}, async ({ transporter, first, second }) => {
      expect(await transporter.verify()).toBe(true);
      expect([first.connections, second.connections]).toEqual([1, 1]);
      expect([...first.received, ...second.received]).toEqual([]);
    });
    await withRouted({ second: { script: '554@greeting no' } }, async ({ transporter }) => {
      await expect(transporter.verify()).rejects.toMatchObject({ code: 'EPROTOCOL', relays: ['second'] });
      const told = await new Promise((resolve) => {
        transporter.verify((error) => resolve(error));
      });
      expect((told as Error).message).toContain('second: 554 no');
    });
  });

  it('is idle until it has enough to do, and says so', async () => {
    const idle: number[] = [];
    await withRouted({ options: { idleBelow: 2 } }, async ({ transporter, first }) => {
      transporter.on('idle', () => idle.push(first.accepted));
      await once(transporter, 'idle');
      const one = transporter.sendMail(MAIL);
      expect(transporter.isIdle()).toBe(true);
      const two = transporter.sendMail(MAIL);
      expect(transporter.isIdle()).toBe(false);
      await Promise.all([one, two]);
      expect(transporter.isIdle()).toBe(true);
    });
    expect(idle).toHaveLength(2);
  });

  it('close() waits for what is under way, and emits close', async () => {
    await withRouted({}, async ({ transporter, transport, first }) => {
      const sending = transporter.sendMail(MAIL);
      await first.until(({ open }) => open > 0);
      const closed = once(transport, 'close');
      transporter.close();
      expect(await sending).toMatchObject({ accepted: ['user@example.com'] });
      await closed;
    });
  });

  it('does not close a deliverer that the app brought', async () => {
    const transport = new ScriptedTransport({ a: ['250', '250'] });
    const routes = defineRoutes({ relays: { a: { host: 'a.example' } }, routes: [{ match: 'ALL', tiers: [['a']] }] });
    const deliverer = new Deliverer({ routes, transport });
    const routed = new RoutedTransport({ deliverer });
    await createTransport(routed).sendMail(MAIL);
    await routed.close();
    await deliverer.deliver({ envelope: { from: '', to: ['a@example.com'] }, message: 'x' });
    transport.assertExhausted();
  });

  it('passes on events and verdicts as options of the deliverer', async () => {
    const onEvent = recordEvents<{ readonly type: string }>();
    await withRouted({ first: { script: 'refused' }, options: { onEvent } }, async ({ transporter, transport }) => {
      await transporter.sendMail(MAIL);
      expect(transport.health()['first']).toMatchObject({ state: 'down' });
    });
    expect(onEvent.events.map(({ type }) => type)).toContain('masked-failure');
  });
});

describe('wrong options', () => {
  const make = (options: object) => () => new RoutedTransport(options);

  it('are reported all at once', () => {
    const problems = problemsOf(make({ spoolAboveBytes: -1, queue: {}, deadlineMs: 'soon' }));
    expect(problems).toEqual(
      [
        'queue: must be a queue, or a function that makes one, got an object',
        'spoolAboveBytes: must be an integer from 0 to 9007199254740991, got -1',
        'deadlineMs: must be a number of milliseconds from 1 to 2147483647, got "soon"',
        'routes: is missing',
      ].sort((a, b) => problems.indexOf(a) - problems.indexOf(b)),
    );
  });

  it('a deliverer and options for another', () => {
    expect(problemsOf(make({ deliverer: { deliver: () => undefined }, deadlineMs: 5 }))).toEqual([
      'deadlineMs: belongs to the deliverer, which is given ready',
    ]);
    expect(make({})).toThrow(RouteConfigError);
    expect(make({ queue: () => ({}), routes: defineRoutes({ relays: {}, routes: [], otherwise: 'reject' }) })).toThrow(
      /a function that returns a queue/,
    );
  });
});
