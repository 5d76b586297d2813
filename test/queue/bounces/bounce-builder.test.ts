import { Readable } from 'node:stream';
import fc from 'fast-check';
import { simpleParser, type ParsedMail } from 'mailparser';
import { describe, expect, it, test } from 'vitest';
import type { Failure, Mail } from 'smtp-routes';
import { Deliverer, defineRoutes } from 'smtp-routes';
import { nodemailerTransport } from 'smtp-routes/nodemailer';
import { buildBounce, type BounceReport } from 'smtp-routes/queue';
import { startSmtpServer } from 'smtp-routes/testing';

const ORIGINAL = [
  'From: app@sender.test',
  'To: user@example.com',
  'Message-ID: <original@sender.test>',
  'Subject: Invoice',
  '',
  'Secret body.',
  '',
].join('\r\n');

const NO_SUCH_USER: Failure = {
  kind: 'reply',
  phase: 'envelope',
  reply: { code: 550, enhanced: '5.1.1', text: 'No such user' },
};

function report(changes: Partial<BounceReport> = {}): BounceReport {
  return {
    kind: 'failed',
    now: Date.UTC(2026, 10, 24, 12),
    arrivalAt: Date.UTC(2026, 10, 24, 11),
    reportingMta: 'mta.sender.test',
    envelope: { from: 'app@sender.test' },
    recipients: [
      {
        recipient: 'user@example.com',
        failure: NO_SUCH_USER,
        attempts: 1,
        lastAttemptAt: Date.UTC(2026, 10, 24, 11, 59),
        remoteMta: 'mx.example.com',
      },
    ],
    message: ORIGINAL,
    id: 'message-1',
    ...changes,
  };
}

const withFailure = (failure: Failure): Partial<BounceReport> => ({
  recipients: [{ recipient: 'user@example.com', failure, attempts: 3 }],
});

interface Read {
  readonly mail: Mail;
  readonly raw: string;
  readonly parsed: ParsedMail;
  /** The fields of the status part: of the message first, then of each recipient. */
  readonly status: readonly Readonly<Record<string, string>>[];
}

async function read(from: BounceReport): Promise<Read> {
  const mail = await buildBounce(from);
  const raw = (mail.message as Buffer).toString('utf8');
  const parsed = await simpleParser(mail.message as Buffer);
  return { mail, raw, parsed, status: statusFields(part(raw, /^Content-Type: message\/(global-)?delivery-status/m)) };
}

/** The body of the part whose headers fit, as it stands on the wire. */
function part(raw: string, headers: RegExp): string {
  const boundary = /boundary="?([^"\r\n;]+)"?/.exec(raw)?.[1] ?? '';
  const found = raw.split(`--${boundary}`).find((text) => headers.test(text.slice(0, text.indexOf('\r\n\r\n'))));
  return found?.slice(found.indexOf('\r\n\r\n') + 4) ?? '';
}

function statusFields(text: string): Record<string, string>[] {
  return text
    .replaceAll(/\r\n[ \t]+/g, ' ')
    .trim()
    .split('\r\n\r\n')
    .map((group) => Object.fromEntries(group.split('\r\n').map(field)));
}

function field(line: string): [name: string, value: string] {
  const at = line.indexOf(': ');
  return [line.slice(0, at), line.slice(at + 2)];
}

describe('the message', () => {
  it('goes from the null sender to the sender, and says so', async () => {
    const { mail, parsed, raw } = await read(report());
    expect(mail.envelope).toEqual({ from: '', to: ['app@sender.test'] });
    expect(parsed.to).toMatchObject({ value: [{ address: 'app@sender.test' }] });
    expect(parsed.from?.value).toEqual([{ address: 'MAILER-DAEMON@mta.sender.test', name: 'Mail Delivery System' }]);
    expect(parsed.subject).toBe('Your message could not be delivered');
    expect(parsed.date).toEqual(new Date('2026-11-24T12:00:00Z'));
    expect(parsed.headers.get('auto-submitted')).toBe('auto-replied');
    expect(parsed.inReplyTo).toBe('<original@sender.test>');
    expect(raw).toMatch(/^Content-Type: multipart\/report; report-type=delivery-status;/m);
  });

  it('is the same message when it is built again', async () => {
    const [one, again] = [await buildBounce(report()), await buildBounce(report())];
    expect(again.message).toEqual(one.message);
    const { parsed } = await read(
      report({ recipients: [{ recipient: 'b@x.test', failure: NO_SUCH_USER, attempts: 1 }] }),
    );
    const { parsed: first } = await read(report());
    expect(parsed.messageId).not.toBe(first.messageId);
  });

  it('tells people what happened to each recipient', async () => {
    const { parsed } = await read(
      report({
        recipients: [
          { recipient: 'a@example.com', failure: NO_SUCH_USER, attempts: 1, remoteMta: 'mx.example.com' },
          {
            recipient: 'b@example.org',
            attempts: 7,
            failure: {
              kind: 'expired',
              enhanced: '5.4.7',
              message: 'over',
              last: { kind: 'lost', phase: 'connect', code: 'ECONNREFUSED', message: 'connection refused' },
            },
          },
        ],
      }),
    );
    expect(parsed.text).toMatch(/<a@example\.com>\s+Answer of mx\.example\.com: 550 5\.1\.1 No such user/);
    expect(parsed.text).toMatch(/<b@example\.org>\s+Tried 7 times\.\s+No usable answer from .*: connection refused/);
  });
});

test.for<[policy: string, failure: (lost: Failure) => Failure]>([
  ['at once', (lost) => lost],
  ['at the end of its time', (last) => ({ kind: 'expired', enhanced: '5.4.7', message: 'over', last })],
])('people hear that mail may have arrived, where nobody knows, %s', async ([, failure]) => {
  const lost: Failure = { kind: 'lost', phase: 'final-reply', code: 'ECONNRESET', message: 'connection reset' };
  const { parsed } = await read(report(withFailure(failure(lost))));
  expect(parsed.text).toMatch(/may have\s+arrived/);
  expect(parsed.text).not.toMatch(/could not be delivered/);
});

describe('the status', () => {
  it('has the fields of RFC 3464', async () => {
    const { status } = await read(
      report({ envelope: { from: 'app@sender.test', dsn: { envid: 'job 7', orcpt: 'rfc822;u@old.test' } } }),
    );
    expect(status).toEqual([
      {
        'Original-Envelope-Id': 'job 7',
        'Reporting-MTA': 'dns; mta.sender.test',
        'Arrival-Date': 'Tue, 24 Nov 2026 11:00:00 +0000',
      },
      {
        'Original-Recipient': 'rfc822; u@old.test',
        'Final-Recipient': 'rfc822; user@example.com',
        Action: 'failed',
        Status: '5.1.1',
        'Remote-MTA': 'dns; mx.example.com',
        'Diagnostic-Code': 'smtp; 550 5.1.1 No such user',
        'Last-Attempt-Date': 'Tue, 24 Nov 2026 11:59:00 +0000',
      },
    ]);
  });

  const last: Failure = { kind: 'reply', phase: 'envelope', reply: { code: 452, enhanced: '4.2.2', text: 'full' } };
  test.for<[name: string, kind: BounceReport['kind'], failure: Failure, status: string, diagnosis: string]>([
    [
      'expiry over a 4xx',
      'failed',
      { kind: 'expired', enhanced: '5.4.7', message: 'm', last },
      '5.4.7',
      'smtp; 452 4.2.2 full',
    ],
    ['a 4xx that is final', 'failed', last, '5.2.2', 'smtp; 452 4.2.2 full'],
    ['a 4xx while it waits', 'delayed', last, '4.2.2', 'smtp; 452 4.2.2 full'],
    [
      'a 554 without a status',
      'failed',
      { kind: 'reply', phase: 'data', reply: { code: 554, text: 'no\nreally' } },
      '5.0.0',
      'smtp; 554 no really',
    ],
    [
      'a refused connection',
      'delayed',
      { kind: 'lost', phase: 'connect', code: 'ECONNREFUSED', message: 'refused' },
      '4.4.1',
      'x-smtp-routes; ECONNREFUSED refused',
    ],
    [
      'a lost connection',
      'delayed',
      { kind: 'lost', phase: 'data', code: 'ECONNRESET', message: 'reset' },
      '4.4.2',
      'x-smtp-routes; ECONNRESET reset',
    ],
    [
      'a null MX',
      'failed',
      { kind: 'unroutable', enhanced: '5.1.10', message: 'takes no mail' },
      '5.1.10',
      'x-smtp-routes; takes no mail',
    ],
    ['no route', 'failed', { kind: 'unroutable', message: 'no route' }, '5.1.2', 'x-smtp-routes; no route'],
    [
      'too large',
      'failed',
      { kind: 'unsupported', need: 'SIZE', message: 'too large' },
      '5.3.4',
      'x-smtp-routes; too large',
    ],
    [
      'no SMTPUTF8',
      'failed',
      { kind: 'unsupported', need: 'SMTPUTF8', message: 'not offered' },
      '5.6.7',
      'x-smtp-routes; not offered',
    ],
  ])('names %s', async ([, kind, failure, code, diagnosis]) => {
    const { status } = await read(report({ kind, ...withFailure(failure) }));
    expect(status[1]).toMatchObject({ Action: kind, Status: code, 'Diagnostic-Code': diagnosis });
  });

  it('says until when late mail is tried', async () => {
    const { status, parsed } = await read(
      report({
        kind: 'delayed',
        recipients: [
          {
            recipient: 'user@example.com',
            failure: last,
            attempts: 2,
            remoteMta: '2001:db8::1',
            retryUntilAt: Date.UTC(2026, 10, 27),
          },
        ],
      }),
    );
    expect(parsed.subject).toBe('Your message is delayed');
    expect(status[1]).toMatchObject({
      'Remote-MTA': 'dns; [IPv6:2001:db8::1]',
      'Will-Retry-Until': 'Fri, 27 Nov 2026 00:00:00 +0000',
    });
  });

  it('names recipients beyond ASCII in the form made for them', async () => {
    const { status, raw } = await read(
      report({ recipients: [{ recipient: 'jürgen@münchen.test', failure: NO_SUCH_USER, attempts: 1 }] }),
    );
    expect(raw).toContain('message/global-delivery-status');
    expect(status[1]?.['Final-Recipient']).toBe('utf-8; jürgen@münchen.test');
    const ascii = await read(
      report({ recipients: [{ recipient: 'user@münchen.test', failure: NO_SUCH_USER, attempts: 1 }] }),
    );
    expect(ascii.status[1]?.['Final-Recipient']).toBe('rfc822; user@xn--mnchen-3ya.test');
  });

  it("gives back the sender's own name of a recipient as it was, beyond ASCII too", async () => {
    const dsn = { orcpt: 'utf-8;jürgen@old.test' };
    const { status, raw } = await read(report({ envelope: { from: 'app@sender.test', dsn } }));
    expect(raw).toContain('message/global-delivery-status');
    expect(status[1]?.['Original-Recipient']).toBe('utf-8; jürgen@old.test');
  });

  it('fits the lines of mail whatever the alphabet of the answer', async () => {
    const failure: Failure = { kind: 'reply', phase: 'envelope', reply: { code: 550, text: '宛'.repeat(900) } };
    const { raw, status } = await read(
      report({ recipients: [{ recipient: 'jürgen@example.com', failure, attempts: 1 }] }),
    );
    expect(Math.max(...raw.split('\r\n').map((line) => Buffer.byteLength(line)))).toBeLessThanOrEqual(998);
    expect(status[1]?.['Diagnostic-Code']).toMatch(/^smtp; 550 宛+$/);
  });
});

describe('the original', () => {
  it('comes back whole under 10 KB, else its headers', async () => {
    const whole = await read(report());
    expect(part(whole.raw, /^Content-Type: message\/rfc822/m)).toContain('Secret body.');
    const large = await read(report({ message: `${ORIGINAL}${'x'.repeat(70)}\r\n`.padEnd(12_000, 'y') }));
    expect(large.raw).not.toContain('Secret body.');
    expect(part(large.raw, /^Content-Type: text\/rfc822-headers/m)).toContain('Subject: Invoice');
  });

  it('comes back as headers when the sender asked for these', async () => {
    const { raw } = await read(report({ envelope: { from: 'app@sender.test', dsn: { ret: 'HDRS' } } }));
    expect(raw).not.toContain('Secret body.');
    expect(raw).toContain('Subject: Invoice');
  });

  it('comes back as headers where the whole would make the bounce longer than the queue takes', async () => {
    const message = `${ORIGINAL}${'x'.repeat(70)}\r\n`;
    const { length } = (await read(report({ message }))).mail.message as Buffer;
    expect((await read(report({ message, maxBytes: length }))).raw).toContain('Secret body.');
    const { raw, parsed } = await read(report({ message, maxBytes: length - 1 }));
    expect(raw).not.toContain('Secret body.');
    expect(part(raw, /^Content-Type: text\/rfc822-headers/m)).toContain('Subject: Invoice');
    expect(parsed.text).toContain('The headers of your message are');
    expect(raw.length).toBeLessThan(length);
  });

  it('stays behind, and the bounce asks for TLS, where the sender asked for TLS all the way', async () => {
    const envelope = { from: 'app@sender.test', requireTLSExtensionEnabled: true };
    const { mail, raw } = await read(report({ envelope }));
    expect(mail.envelope).toEqual({ from: '', to: ['app@sender.test'], requireTLSExtensionEnabled: true });
    expect(raw).not.toContain('Secret body.');
  });

  it('is read no further than it is quoted, and let go', async () => {
    let given = 0;
    const stream = Readable.from(
      (function* () {
        yield Buffer.from(ORIGINAL);
        for (;;) yield Buffer.alloc(16_384, (given++, 'x'));
      })(),
    );
    const { raw } = await read(report({ message: { open: () => stream } }));
    expect(raw).toContain('Subject: Invoice');
    expect(given).toBeLessThan(10);
    expect(stream.destroyed).toBe(true);
  });

  it('is left out if it cannot be read any more', async () => {
    const open = (): Readable => {
      throw new Error('gone');
    };
    const { raw, parsed } = await read(report({ message: { open } }));
    expect(parsed.text).toContain('could not be read again');
    expect(raw).toContain('Status: 5.1.1');
  });

  it('keeps octets beyond ASCII, and says so', async () => {
    const message = 'Subject: Grüße\r\n\r\nHällo\r\n';
    const { mail, raw } = await read(report({ message }));
    expect(raw).toMatch(/^Content-Type: message\/global\r\nContent-Transfer-Encoding: 8bit/m);
    expect((mail.message as Buffer).includes(Buffer.from(message.trimEnd()))).toBe(true);
    const body = await read(report({ message: 'Subject: x\r\n\r\nHällo\r\n' }));
    expect(body.raw).toMatch(/^Content-Type: message\/rfc822\r\nContent-Transfer-Encoding: 8bit/m);
  });

  it('makes the whole bounce 8bit, for MIME and for SMTP, only where it is', async () => {
    const topOf = ({ raw }: Read): string => raw.slice(0, raw.indexOf('\r\n\r\n'));
    const eight = await read(report({ message: 'Subject: x\r\n\r\nHällo\r\n' }));
    expect(topOf(eight)).toMatch(/^Content-Transfer-Encoding: 8bit$/m);
    expect(eight.mail.envelope.use8BitMime).toBe(true);
    const seven = await read(report());
    expect(topOf(seven)).not.toContain('Content-Transfer-Encoding');
    expect(seven.mail.envelope).not.toHaveProperty('use8BitMime');
  });

  it('comes back as encoded headers where they could not stand as they are', async () => {
    const message = Buffer.from('Subject: Gr\xfc\xdfe\r\n\r\nSecret body.\r\n', 'latin1');
    const { raw, mail } = await read(report({ message }));
    expect(raw).not.toContain('Secret body.');
    expect(part(raw, /^Content-Type: text\/rfc822-headers/m)).toContain('Subject: Gr=FC=DFe');
    expect((mail.message as Buffer).every((octet) => octet < 0x80)).toBe(true);
    const header = `Subject: ${'ü'.repeat(600)}\r\n`;
    const long = await read(report({ message: `${header}\r\n` }));
    expect(Math.max(...long.raw.split('\r\n').map((line) => Buffer.byteLength(line)))).toBeLessThanOrEqual(998);
    const encoded = part(long.raw, /^Content-Type: text\/rfc822-headers\r\nContent-Transfer-Encoding: base64/m);
    expect(Buffer.from(encoded, 'base64').toString()).toBe(header);
  });

  it.each([
    ['lines longer than mail may have', `${ORIGINAL}${'x'.repeat(999)}\r\n`],
    ['a NUL', `${ORIGINAL}\0`],
  ])('comes back as headers if it has %s, which a server may refuse', async (_what, message) => {
    const { raw } = await read(report({ message }));
    expect(raw).not.toContain('Secret body.');
    expect(part(raw, /^Content-Type: text\/rfc822-headers/m)).toContain('Subject: Invoice');
  });

  it('has the line breaks of mail, whatever it was stored with', async () => {
    const { raw } = await read(report({ message: ORIGINAL.replaceAll('\r\n', '\n') }));
    expect(part(raw, /^Content-Type: message\/rfc822/m)).toContain(ORIGINAL);
  });

  it('comes back as far as it could be read', async () => {
    const open = (): Readable =>
      Readable.from(
        (function* () {
          yield ORIGINAL;
          throw new Error('bad sector');
        })(),
      );
    const { raw, parsed } = await read(report({ message: { open } }));
    expect(part(raw, /^Content-Type: text\/rfc822-headers/m)).toContain('Subject: Invoice');
    expect(parsed.inReplyTo).toBe('<original@sender.test>');
  });

  it('cannot forge a part of the bounce, not even for who has seen one of the same name', async () => {
    const { raw: seen, parsed } = await read(report());
    const boundary = /boundary="([^"]+)"/.exec(seen)?.[1] ?? '';
    const forged = `Subject: x\r\n\r\n--${boundary}\r\nContent-Type: text/html\r\n\r\n<b>forged</b>\r\n--${boundary}--\r\n`;
    const again = await read(report({ message: forged }));
    expect(again.parsed.messageId).toBe(parsed.messageId);
    expect(again.parsed.html).not.toContain('forged');
    expect(part(again.raw, /^Content-Type: message\/rfc822/m)).toContain('forged');
  });
});

test('nothing that a stranger says can add a header, a field or a part', async () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.constantFrom(
      'x\r\nBcc: victim@x.test',
      'x\r\n\r\n--b',
      'x\nAction: relayed',
      '\u2028x\u0000',
      'x '.repeat(500),
      'x'.repeat(3000),
    ),
  );
  await fc.assert(
    fc.asyncProperty(hostile, hostile, hostile, hostile, async (text, remoteMta, recipient, envid) => {
      const { raw, parsed, status } = await read(
        report({
          envelope: { from: 'app@sender.test', dsn: { envid, orcpt: text } },
          recipients: [
            {
              recipient,
              remoteMta,
              attempts: 1,
              failure: { kind: 'reply', phase: 'envelope', reply: { code: 550, text } },
            },
          ],
          message: `Message-ID: <${text.replaceAll(/[\r\n]/g, '').slice(0, 300)}>\r\nSubject: x\r\n\r\n`,
        }),
      );
      expect([...parsed.headers.keys()].filter((name) => !HEADERS.has(name))).toEqual([]);
      expect(status).toHaveLength(2);
      expect(status[1]?.['Action']).toBe('failed');
      expect(Object.keys(status[1] ?? {}).filter((name) => !FIELDS.has(name))).toEqual([]);
      expect(Math.max(...raw.split('\r\n').map((line) => Buffer.byteLength(line)))).toBeLessThan(998);
    }),
    { numRuns: 150 },
  );
});

const HEADERS = new Set(
  'from to subject date message-id auto-submitted in-reply-to references mime-version content-type content-transfer-encoding'.split(
    ' ',
  ),
);
const FIELDS = new Set(['Original-Recipient', 'Final-Recipient', 'Action', 'Status', 'Remote-MTA', 'Diagnostic-Code']);

test('a real server takes it', async () => {
  await using server = await startSmtpServer();
  const deliverer = new Deliverer({
    routes: defineRoutes({
      relays: { own: { host: '127.0.0.1', port: server.port, ignoreTLS: true } },
      routes: [{ match: 'ALL', tiers: [['own']] }],
    }),
    transport: nodemailerTransport(),
  });
  const outcome = await deliverer.deliver(await buildBounce(report()));
  await deliverer.close();
  expect(outcome.recipients).toMatchObject([{ recipient: 'app@sender.test', status: 'delivered' }]);
  expect(server.messages[0]).toMatchObject({ from: '', to: ['app@sender.test'] });
});
