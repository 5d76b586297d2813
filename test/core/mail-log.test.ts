import { describe, expect, test } from 'vitest';
import type { DeliveryEvent } from '../../src/core/delivery-event.js';
import type { Failure } from '../../src/core/failure.js';
import { mailLog } from '../../src/core/mail-log.js';
import type { Attempt, RecipientOutcome } from '../../src/core/outcome.js';

/** The moment of the technote's log, in the local time in which a log is written. */
const AT = new Date(2014, 6, 2, 9, 15, 7).getTime();
const STAMP = 'Wed Jul  2 09:15:07 2014 Info: ';
const A = 'george@yourdomain.example';
const B = 'b@example.com';

const attempt = (more: Partial<Attempt> = {}): Attempt => ({
  relay: 'exchange1',
  host: '192.168.1.10',
  port: 25,
  tier: 0,
  recipients: [A],
  startedAt: AT,
  endedAt: AT,
  phase: 'final-reply',
  ...more,
});
const ended = (
  more: Partial<Attempt>,
  connection?: number,
  delivered: string[] = [],
  response?: string,
): DeliveryEvent => ({
  type: 'attempt-ended',
  at: AT,
  id: 'x',
  attempt: attempt(more),
  delivered,
  ...(connection !== undefined && { connection }),
  ...(response !== undefined && { response }),
});
const settled = (...recipients: RecipientOutcome[]): DeliveryEvent => ({
  type: 'settled',
  at: AT,
  id: 'x',
  from: '',
  outcome: { id: 'x', recipients, attempts: [] },
});
const rejected = (failure: Failure, recipient = A): RecipientOutcome => ({ recipient, status: 'rejected', failure });
const deferred = (failure: Failure, recipient = A): RecipientOutcome => ({
  recipient,
  status: 'queue-for-later',
  failure,
  retryAt: 0,
});
const reply = (code: number, text: string, enhanced?: string, phase: 'connect' | 'envelope' = 'envelope'): Failure => ({
  kind: 'reply',
  phase,
  reply: { code, text, ...(enhanced !== undefined && { enhanced }) },
});

/** The lines of some events in a new log, without their time. */
function lines(...events: DeliveryEvent[]): string[] {
  const log = mailLog();
  return events.flatMap(log).map((line) => {
    expect(line.startsWith(STAMP)).toBe(true);
    return line.slice(STAMP.length);
  });
}

describe('the form of', () => {
  test('a time', () => {
    const log = mailLog();
    const at = (...date: [number, number, number, number, number, number]): string =>
      log({ type: 'connection-closed', at: new Date(...date).getTime(), relay: 'a', connection: 3 })[0]!;
    expect(at(2014, 6, 2, 9, 15, 7)).toBe('Wed Jul  2 09:15:07 2014 Info: DCID 3 close');
    expect(at(2026, 11, 31, 23, 59, 59)).toBe('Thu Dec 31 23:59:59 2026 Info: DCID 3 close');
  });

  test('a connection', () => {
    const opened: DeliveryEvent = {
      type: 'connection-opened',
      at: AT,
      relay: 'exchange1',
      host: 'mx.example.com',
      port: 25,
      connection: 299,
      address: '192.168.1.10',
      localAddress: '192.168.1.1',
    };
    expect(lines(opened)).toEqual(['New SMTP DCID 299 interface 192.168.1.1 address 192.168.1.10 port 25']);
    const tls = { protocol: 'TLSv1.2', cipher: 'ECDHE-RSA-AES256-SHA384' };
    expect(lines({ ...opened, connection: 30, tls })).toEqual([
      'New SMTP DCID 30 interface 192.168.1.1 address 192.168.1.10 port 25',
      'DCID 30 TLS success protocol TLSv1.2 cipher ECDHE-RSA-AES256-SHA384',
    ]);
  });

  test('its end, unless a Connection Error has told of it', () => {
    expect(lines({ type: 'connection-closed', at: AT, relay: 'a', connection: 3 })).toEqual(['DCID 3 close']);
    expect(lines({ type: 'connection-closed', at: AT, relay: 'a', connection: 3, reason: 'failed' })).toEqual([]);
  });

  test('the technote’s failure', () => {
    const failure = reply(431, '?example.com ESMTP\nMail system full', undefined, 'connect');
    const event = ended(
      {
        phase: 'connect',
        failure,
        address: '192.168.1.10',
        localAddress: '192.168.1.1',
        recipients: ['user@example.com'],
      },
      299,
    );
    expect(lines(event)).toEqual([
      "Connection Error: DCID 299 domain: example.com IP: 192.168.1.10 port: 25 details: 431-?example.com ESMTP\\nMail system full' interface: 192.168.1.1 reason: unexpected SMTP response",
    ]);
  });

  test('a connection that was never made', () => {
    const failure: Failure = {
      kind: 'lost',
      phase: 'connect',
      code: 'ECONNREFUSED',
      message: 'connect ECONNREFUSED 192.168.1.10:25',
    };
    expect(lines(ended({ phase: 'connect', failure }))).toEqual([
      'Connection Error: DCID 0 domain: yourdomain.example IP: 192.168.1.10 port: 25 details: connect ECONNREFUSED 192.168.1.10:25 interface: ? reason: network error',
    ]);
  });

  test('a delivery', () => {
    const delivered: RecipientOutcome = { recipient: A, status: 'delivered', relay: 'exchange1' };
    expect(
      lines(
        ended({ recipients: [A, B] }, 3, [A, B], '2.6.0 <77> Queued mail for delivery'),
        settled(delivered, { ...delivered, recipient: B }),
      ),
    ).toEqual([
      'Delivery start DCID 3 MID 1 to RID [0, 1]',
      'Message done DCID 3 MID 1 to RID [0, 1]',
      'MID 1 RID [0, 1] Response 2.6.0 <77> Queued mail for delivery',
      'Message finished MID 1 done',
    ]);
  });

  test.each<[string, Failure]>([
    [
      "Bounced: DCID 3 MID 1 to RID 0 - 5.1.0 - Unknown address error ('550', ['<george@yourdomain.com>... Relaying denied']) []",
      reply(550, '<george@yourdomain.com>... Relaying denied'),
    ],
    [
      "Bounced: DCID 3 MID 1 to RID 0 - 5.1.2 - Bad destination host ('550', ['5.1.2 no such host']) []",
      reply(550, 'no such host', '5.1.2'),
    ],
    [
      "Bounced: DCID 3 MID 1 to RID 0 - 5.7.1 - not for you ('550', ['5.7.1 not for you', '5.7.1 go away']) []",
      reply(550, 'not for you\ngo away', '5.7.1'),
    ],
    [
      "Bounced: DCID 3 MID 1 to RID 0 - 5.4.7 - Delivery expired (message too old) ('000', ['timeout']) []",
      { kind: 'expired', enhanced: '5.4.7', message: 'timeout' },
    ],
    [
      "Bounced: DCID 3 MID 1 to RID 0 - 5.1.2 - Bad destination host ('000', ['DNS Hard Error looking up x.com (MX): NXDomain']) []",
      { kind: 'unroutable', enhanced: '5.1.2', message: 'DNS Hard Error looking up x.com (MX): NXDomain' },
    ],
    [
      "Bounced: DCID 3 MID 1 to RID 0 - 5.6.7 - Required extension not supported ('000', ['no SMTPUTF8']) []",
      { kind: 'unsupported', need: 'SMTPUTF8', enhanced: '5.6.7', message: 'no SMTPUTF8' },
    ],
  ])('%s', (line, failure) => {
    expect(lines(ended({ failure }, 3), settled(rejected(failure)))).toEqual([
      'Delivery start DCID 3 MID 1 to RID [0]',
      line,
      'Message finished MID 1 done',
    ]);
  });

  test.each<[string, Failure]>([
    [
      "Delayed: DCID 3 MID 1 to RID 0 - 4.3.2 - Not accepting messages at this time ('421', ['4.3.2 try again later']) []",
      reply(421, 'try again later', '4.3.2'),
    ],
    [
      "Delayed: DCID 3 MID 1 to RID 0 - 4.3.1 - Mail system full ('452', ['4.3.1 Insufficient system resources']) []",
      reply(452, 'Insufficient system resources', '4.3.1'),
    ],
    ["Delayed: DCID 3 MID 1 to RID 0 - 4.1.0 - Unknown address error ('451', ['later']) []", reply(451, 'later')],
    [
      "Delayed: DCID 3 MID 1 to RID 0 - 4.4.0 - Other network problem ('000', ['[Errno 54] Connection reset by peer']) []",
      { kind: 'lost', phase: 'envelope', code: 'ECONNRESET', message: '[Errno 54] Connection reset by peer' },
    ],
    [
      "Delayed: DCID 3 MID 1 to RID 0 - 4.4.7 - Delivery expired (message too old) ('000', ['not settled']) []",
      { kind: 'expired', message: 'not settled' },
    ],
    [
      "Delayed: DCID 3 MID 1 to RID 0 - 4.4.0 - Other network problem ('000', ['given up']) []",
      { kind: 'aborted', message: 'given up' },
    ],
  ])('%s', (line, failure) => {
    expect(lines(ended({ failure }, 3), settled(deferred(failure)))).toEqual([
      'Delivery start DCID 3 MID 1 to RID [0]',
      line,
    ]);
  });

  test('mail that may have arrived, which is not finished', () => {
    const failure: Failure = { kind: 'lost', phase: 'final-reply', code: 'ECONNRESET', message: 'reset' };
    expect(
      lines(ended({ failure }, 4641294), settled({ recipient: A, status: 'possibly-delivered', relay: 'a', failure })),
    ).toEqual(['Delivery start DCID 4641294 MID 1 to RID [0]', 'Possible Delivery: DCID: 4641294 MID 1 to [0]']);
  });

  test('mail that a route discards', () => {
    expect(lines(settled({ recipient: A, status: 'discarded' }))).toEqual([
      'Dropped: MID 1 to RID 0 by route /dev/null',
      'Message finished MID 1 done',
    ]);
  });

  test('other events has no line', () => {
    const failure = reply(421, 'busy');
    const verdict = { action: 'next-relay', cool: true } as const;
    expect(
      lines(
        { type: 'attempt-started', at: AT, id: 'x', relay: 'a', host: 'a', port: 25, tier: 0, recipients: [A] },
        { type: 'masked-failure', at: AT, id: 'x', relay: 'a', failure, verdict, deliveredBy: 'b' },
        { type: 'relay-cooled', at: AT, relay: 'a', failure, until: AT },
        { type: 'relay-recovered', at: AT, relay: 'a', downSince: AT },
        { type: 'lookup', at: AT, domain: 'example.com' },
      ),
    ).toEqual([]);
  });
});

describe('the numbers', () => {
  test('a recipient keeps its RID, and its result names the connection of its own last attempt', () => {
    const failure = reply(550, 'no');
    const busy = reply(421, 'busy', undefined, 'connect');
    expect(
      lines(
        ended({ recipients: [A] }, 7),
        ended({ recipients: [B], failure: busy, phase: 'connect', host: '192.0.2.1' }),
        ended({ recipients: [B] }, 9),
        settled(deferred(busy, B), rejected(failure, A)),
      ),
    ).toEqual([
      'Delivery start DCID 7 MID 1 to RID [0]',
      "Connection Error: DCID 0 domain: example.com IP: 192.0.2.1 port: 25 details: 421 busy' interface: ? reason: unexpected SMTP response",
      'Delivery start DCID 9 MID 1 to RID [1]',
      "Delayed: DCID 9 MID 1 to RID 1 - 4.1.0 - Unknown address error ('421', ['busy']) []",
      "Bounced: DCID 7 MID 1 to RID 0 - 5.1.0 - Unknown address error ('550', ['no']) []",
    ]);
  });

  test('messages are counted, those side by side too, and none is kept once settled', () => {
    const log = mailLog();
    const start = (id: string): string => log({ ...ended({}, 1), id } as DeliveryEvent)[0]!.slice(STAMP.length);
    expect(start('x')).toBe('Delivery start DCID 1 MID 1 to RID [0]');
    expect(start('y')).toBe('Delivery start DCID 1 MID 2 to RID [0]');
    expect(start('x')).toBe('Delivery start DCID 1 MID 1 to RID [0]');
    log(settled({ recipient: A, status: 'discarded' }));
    expect(start('x')).toBe('Delivery start DCID 1 MID 3 to RID [0]');
  });

  test('a result without an attempt has DCID 0', () => {
    expect(lines(settled(deferred({ kind: 'aborted', message: 'x' })))[0]).toMatch(
      /^Delayed: DCID 0 MID 1 to RID 0 - /,
    );
  });
});

describe('what a server says', () => {
  const HOSTILE = 'a\r\nWed Jul  2 09:15:07 2014 Info: forged\u2028b\u0000c\u001b[2J\nd';

  test('breaks no line, wherever it stands', () => {
    const failures: Failure[] = [
      reply(550, HOSTILE),
      reply(550, HOSTILE, '5.1.1'),
      { kind: 'lost', phase: 'connect', code: HOSTILE, message: HOSTILE },
      { kind: 'unroutable', message: HOSTILE },
    ];
    for (const failure of failures) {
      const all = lines(
        ended({ phase: 'connect', failure, recipients: [`x@${HOSTILE}`] }, 1),
        ended({ recipients: [`x@${HOSTILE}`] }, 1, [`x@${HOSTILE}`], HOSTILE),
        settled(rejected(failure, HOSTILE), deferred(failure, A)),
      );
      expect(all).toHaveLength(6);
      // eslint-disable-next-line no-control-regex
      for (const line of all) expect(line).toMatch(/^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]+$/);
    }
  });

  test.each([
    ["it's", `("it's")`],
    [`it's "x"`, String.raw`('it\'s "x"')`],
    [String.raw`back\slash`, String.raw`('back\\slash')`],
    [String.raw`\'`, String.raw`("\\'")`],
  ])('%s: ends no tuple before its time, as Python writes it', (text, written) => {
    const [line] = lines(settled(rejected({ kind: 'unroutable', message: text })));
    expect(line).toContain(`('000', [${written.slice(1, -1)}]) []`);
  });

  test('of great length is cut', () => {
    expect(lines(settled(rejected(reply(550, 'x'.repeat(100_000)))))[0]!.length).toBeLessThan(5000);
  });
});
