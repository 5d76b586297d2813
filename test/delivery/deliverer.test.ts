import { inspect } from 'node:util';
import { describe, expect, test, vi } from 'vitest';
import { Deliverer, defineRoutes, RouteConfigError } from 'smtp-routes';
import { ManualClock, ScriptedTransport } from 'smtp-routes/testing';
import { problemsOf } from '../core/problems-of.js';
import { allTo, attempts, MESSAGE, RELAYS, results, SENDER, setUp, told, USER } from './set-up.js';

describe('the technote 117875', () => {
  const technote = () =>
    setUp({
      scripts: {
        exchange1: ['431@greeting mail.example.com ESMTP\nMail system full'],
        exchange2: ['250 2.6.0 queued'],
      },
      routes: defineRoutes({
        relays: { exchange1: { host: '192.168.1.10', port: 25 }, exchange2: { host: '192.168.1.20', port: 25 } },
        routes: [{ match: 'example.com', tiers: [['exchange1', 'exchange2']] }],
        otherwise: 'reject',
      }),
    });

  test('a host that greets with 431 is passed over, and the second has the mail in the same second', async () => {
    const { deliver, clock } = technote();
    const at = clock.now();
    expect(await deliver(USER, { id: 'technote' })).toEqual({
      id: 'technote',
      recipients: [
        {
          recipient: USER,
          status: 'delivered',
          relay: 'exchange2',
          reply: { code: 250, enhanced: '2.6.0', text: 'queued' },
        },
      ],
      attempts: [
        {
          relay: 'exchange1',
          host: '192.168.1.10',
          port: 25,
          address: '192.168.1.10',
          tier: 0,
          recipients: [USER],
          startedAt: at,
          endedAt: at,
          phase: 'connect',
          failure: {
            kind: 'reply',
            phase: 'connect',
            reply: { code: 431, text: 'mail.example.com ESMTP\nMail system full' },
          },
          verdict: { action: 'next-relay', cool: true },
        },
        {
          relay: 'exchange2',
          host: '192.168.1.20',
          port: 25,
          address: '192.168.1.20',
          tier: 0,
          recipients: [USER],
          startedAt: at,
          endedAt: at,
          phase: 'final-reply',
        },
      ],
    });
  });

  test('the events come in order, and the success does not hide the failure', async () => {
    const { deliver, events } = technote();
    await deliver();
    expect(told(events)).toEqual([
      'attempt-started exchange1',
      'connection-opened exchange1',
      'connection-closed exchange1',
      'attempt-ended exchange1',
      'relay-cooled exchange1',
      'attempt-started exchange2',
      'connection-opened exchange2',
      'connection-closed exchange2',
      'attempt-ended exchange2',
      'masked-failure exchange1',
      'settled',
    ]);
    expect(events.ofType('masked-failure')[0]).toMatchObject({ relay: 'exchange1', deliveredBy: 'exchange2' });
    expect(events.ofType('attempt-ended').map(({ connection }) => connection)).toEqual([1, 2]);
  });
});

describe('fail-over', () => {
  test.each([
    ['refused', 'a: ECONNREFUSED@connect, next-relay and cool'],
    ['close@greeting', 'a: ECONNECTION@connect, next-relay and cool'],
    ['554@greeting go away', 'a: 554@connect, next-relay and cool'],
    ['421@ehlo busy', 'a: 421@session, next-relay and cool'],
    ['502@starttls no', 'a: 502@session, next-relay and cool'],
    ['535@auth bad password', 'a: 535@session, next-relay and cool'],
    ['452@mail 4.3.1 insufficient resources', 'a: 452@envelope, next-relay'],
    ['421@mail closing', 'a: 421@envelope, next-relay and cool'],
    ['503@mail sequence', 'a: 503@envelope, next-relay and cool'],
    ['530@mail log in first', 'a: 530@envelope, next-relay and cool'],
    ['354@mail out of place', 'a: 354@envelope, next-relay and cool'],
    ['450@rcpt greylisted', 'a: 450@envelope, next-relay'],
    ['451@data no room', 'a: 451@envelope, next-relay'],
    ['reset@data', 'a: ECONNRESET@envelope, next-relay and cool'],
    ['close@body', 'a: ECONNECTION@data, next-relay and cool'],
    ['451@final-reply try later', 'a: 451@final-reply, next-relay'],
    ['421@final-reply shutting down', 'a: 421@final-reply, next-relay and cool'],
    ['503@final-reply what', 'a: 503@final-reply, next-relay and cool'],
    ['raw@ehlo 250', 'a: EPROTOCOL@session, next-relay and cool'],
  ])('after %s the next relay gets the mail at once', async (line, first) => {
    const { deliver } = setUp({ scripts: { a: [line], b: ['250'] } });
    const outcome = await deliver();
    expect(attempts(outcome)).toEqual([first, 'b: accepted']);
    expect(results(outcome)).toEqual(['delivered by b']);
  });

  test.each([
    ['550@mail sender unknown', '550@envelope'],
    ['550@rcpt no such user', '550@envelope'],
    ['554@data no valid recipients', '554@envelope'],
    ['552@body too big', '552@data'],
    ['554@final-reply spam', '554@final-reply'],
  ])('after %s no other relay is asked', async (line, failure) => {
    const { deliver, sends } = setUp({ scripts: { a: [line] } });
    const outcome = await deliver();
    expect(results(outcome)).toEqual([`rejected: ${failure}`]);
    expect(attempts(outcome)).toEqual([`a: ${failure}, reject`]);
    expect(sends()).toEqual(['a']);
  });

  test('only the recipients still open go on', async () => {
    const { deliver, transport } = setUp({
      routes: allTo(['a'], ['b'], ['c']),
      scripts: {
        a: [['450@rcpt(u2@example.com) busy', '550@rcpt(u3@example.com) unknown', '451@rcpt(u4@example.com) later']],
        b: [['550@rcpt(u4@example.com) unknown']],
      },
    });
    const outcome = await deliver(['u1@example.com', 'u2@example.com', 'u3@example.com', 'u4@example.com']);
    expect(results(outcome)).toEqual([
      'delivered by a',
      'delivered by b',
      'rejected: 550@envelope',
      'rejected: 550@envelope',
    ]);
    expect(transport.trace.map(({ relay, recipients }) => [relay, ...recipients])).toEqual([
      ['a', 'u1@example.com', 'u2@example.com', 'u3@example.com', 'u4@example.com'],
      ['b', 'u2@example.com', 'u4@example.com'],
    ]);
    expect(attempts(outcome)).toEqual([
      'a: accepted [u2@example.com 450@envelope, next-relay] [u3@example.com 550@envelope, reject] [u4@example.com 451@envelope, next-relay]',
      'b: accepted [u4@example.com 550@envelope, reject]',
    ]);
  });

  test('every attempt sends the same bytes', async () => {
    const { deliver, transport } = setUp({
      routes: allTo(['a'], ['b'], ['c']),
      scripts: { a: ['451@final-reply'], b: ['452@final-reply'] },
    });
    await deliver();
    expect(transport.trace.map(({ body }) => String(body))).toEqual([MESSAGE, MESSAGE, MESSAGE]);
  });

  test('when all relays are temporarily unable, the mail is left for later with the last failure', async () => {
    const { deliver, clock } = setUp({ scripts: { a: ['refused'], b: ['451@final-reply disk full'] } });
    const outcome = await deliver();
    expect(results(outcome)).toEqual(['queue-for-later: 451@final-reply']);
    // The default profile waits 60 s, less a tenth with these dice.
    expect(outcome.recipients[0]).toMatchObject({ retryAt: clock.now() + 54_000 });
  });

  test('a session that fails everywhere never rejects mail', async () => {
    const { deliver } = setUp({ scripts: { a: ['554@greeting no'], b: ['535@auth expired'] } });
    expect(results(await deliver())).toEqual(['queue-for-later: 535@session']);
  });
});

describe('who the recipients are', () => {
  test('doubles and other spellings of a domain are one recipient, named as first spelled', async () => {
    const { deliverer, transport } = setUp();
    const to = ['b@MÜNCHEN.example', 'a@Example.COM', 'b@xn--mnchen-3ya.example.', 'a@example.com', 'A@example.com'];
    const outcome = await deliverer.deliver({ envelope: { from: SENDER, to: [...to, ...to] }, message: MESSAGE });
    expect(outcome.recipients.map(({ recipient }) => recipient)).toEqual([
      'b@MÜNCHEN.example',
      'a@Example.COM',
      'A@example.com',
    ]);
    expect(transport.trace[0]?.recipients).toEqual(['b@xn--mnchen-3ya.example', 'a@Example.COM', 'A@example.com']);
  });

  test('one that is no address is rejected and stops nobody else', async () => {
    const { deliver, transport } = setUp();
    const outcome = await deliver([
      'nobody',
      'a@b\r\nRCPT TO:<x@y>',
      'u@example.com',
      'u@-.., ',
      '<u@example.com>',
      '',
    ]);
    expect(results(outcome)).toEqual([
      'rejected: unroutable',
      'rejected: unroutable',
      'delivered by a',
      'rejected: unroutable',
      'rejected: unroutable',
      'rejected: unroutable',
    ]);
    expect(outcome.recipients[0]).toMatchObject({ failure: { kind: 'unroutable', enhanced: '5.1.3' } });
    expect(transport.trace.map(({ recipients }) => recipients)).toEqual([['u@example.com']]);
  });

  test('a sender that is no address rejects all, and nothing is sent', async () => {
    const { deliver, sends, events } = setUp();
    const outcome = await deliver(['a@example.com', 'b@example.com'], { from: 'me\r\nDATA' });
    expect(results(outcome)).toEqual(['rejected: unroutable', 'rejected: unroutable']);
    expect(outcome.recipients[0]).toMatchObject({ failure: { enhanced: '5.1.7' } });
    expect(sends()).toEqual([]);
    expect(told(events)).toEqual(['settled']);
  });

  test('the null sender goes out as it is', async () => {
    const { deliver, transport } = setUp();
    await deliver(USER, { from: '' });
    expect(transport.trace[0]?.from).toBe('');
  });

  test('a sender at an IDN domain goes out with A-labels', async () => {
    const { deliver, transport } = setUp();
    await deliver(USER, { from: 'me@münchen.example' });
    expect(transport.trace[0]?.from).toBe('me@xn--mnchen-3ya.example');
  });

  test('DSN parameters travel in the envelope', async () => {
    const seen: unknown[] = [];
    const { deliverer } = setUp({
      transport: {
        send: ({ envelope }) => {
          seen.push(envelope);
          return Promise.resolve(envelope.to.map((recipient) => ({ recipient })));
        },
      },
    });
    const dsn = { ret: 'HDRS', notify: 'NEVER' };
    await deliverer.deliver({ envelope: { from: SENDER, to: [USER], dsn }, message: MESSAGE });
    expect(seen).toEqual([{ from: SENDER, to: [USER], dsn }]);
  });
});

describe('where they go', () => {
  const routes = defineRoutes({
    relays: RELAYS,
    routes: [
      { match: ['one.example', 'two.example'], tiers: [['a']] },
      { match: 'three.example', tiers: [['a']] },
      { match: 'four.example', tiers: [['b']] },
      { match: 'spam.example', action: 'discard' },
    ],
    otherwise: 'reject',
  });

  test('domains with equal tiers share one transaction, others go side by side', async () => {
    const { deliver, transport } = setUp({ routes });
    const outcome = await deliver(['1@one.example', '4@four.example', '2@two.example', '3@three.example']);
    expect(results(outcome)).toEqual(['delivered by a', 'delivered by b', 'delivered by a', 'delivered by a']);
    expect(transport.trace.map(({ relay, recipients }) => [relay, ...recipients])).toEqual([
      ['a', '1@one.example', '2@two.example', '3@three.example'],
      ['b', '4@four.example'],
    ]);
  });

  test('a plan does not wait for another', async () => {
    const { deliver, transport, clock } = setUp({ routes, scripts: { a: ['stall@mail'] } });
    const delivering = deliver(['1@one.example', '4@four.example']);
    await clock.advance(0);
    expect(transport.trace.map(({ relay, reports }) => [relay, reports !== undefined])).toEqual([
      ['a', false],
      ['b', true],
    ]);
    transport.release();
    expect(results(await delivering)).toEqual(['delivered by a', 'delivered by b']);
  });

  test('a /dev/null route discards, and a domain without a route is rejected where the table says so', async () => {
    const { deliver, sends } = setUp({ routes });
    const outcome = await deliver(['x@spam.example', 'x@elsewhere.example']);
    expect(results(outcome)).toEqual(['discarded', 'rejected: unroutable']);
    expect(outcome.recipients[1]).toMatchObject({ failure: { enhanced: '5.4.4' } });
    expect(sends()).toEqual([]);
  });
});

describe('too many recipients', () => {
  const to = ['u1@example.com', 'u2@example.com', 'u3@example.com', 'u4@example.com', 'u5@example.com'];

  test('the rest goes in further transactions to the same relay at once, and it is no failure', async () => {
    const { deliver, transport, deliverer } = setUp({
      scripts: { a: ['452@rcpt(3+) 4.5.3 too many', '552@rcpt(3+) too many', '250'] },
    });
    const outcome = await deliver(to);
    expect(results(outcome)).toEqual(Array(5).fill('delivered by a'));
    expect(
      transport.trace.map(({ relay, recipients }) => [relay, ...recipients.map((one) => one.slice(0, 2))]),
    ).toEqual([
      ['a', 'u1', 'u2', 'u3', 'u4', 'u5'],
      ['a', 'u3', 'u4', 'u5'],
      ['a', 'u5'],
    ]);
    expect(attempts(outcome)).toEqual(['a: accepted', 'a: accepted', 'a: accepted']);
    expect(deliverer.health()['a']).toMatchObject({ state: 'up' });
  });

  test('it ends when a transaction accepts nobody: then the ordinary rule holds', async () => {
    const { deliver, transport } = setUp({
      scripts: { a: ['452@rcpt(2+) 4.5.3 too many', '452@rcpt 4.5.3 too many'], b: ['250'] },
    });
    const outcome = await deliver(['u1@example.com', 'u2@example.com', 'u3@example.com']);
    expect(results(outcome)).toEqual(['delivered by a', 'delivered by b', 'delivered by b']);
    expect(transport.trace.map(({ relay }) => relay)).toEqual(['a', 'a', 'b']);
  });

  test('another enhanced code is about the recipient', async () => {
    const { deliver } = setUp({ routes: allTo(['a']), scripts: { a: ['452@rcpt(2) 4.2.2 mailbox full'] } });
    expect(results(await deliver(['u1@example.com', 'u2@example.com']))).toEqual([
      'delivered by a',
      'queue-for-later: 452@envelope',
    ]);
  });

  test.each(['close@final-reply', '451@final-reply', 'reset@body'])(
    'where the rest then fails with %s, a 552 does not bounce those who had no room',
    async (line) => {
      const { deliver, transport } = setUp({
        scripts: { a: [['552@rcpt(u2@example.com) too many', line]], b: ['250'] },
      });
      const outcome = await deliver(['u1@example.com', 'u2@example.com']);
      expect(results(outcome)[1]).toBe('delivered by b');
      expect(transport.trace.at(-1)?.recipients).toContain('u2@example.com');
    },
  );

  test('nothing more is begun once the caller gave up', async () => {
    const controller = new AbortController();
    const { deliver, sends } = setUp({
      scripts: { a: ['452@rcpt(2+) 4.5.3 too many'] },
      onEvent: ({ type }) => {
        if (type === 'attempt-ended') controller.abort();
      },
    });
    const outcome = await deliver(['u1@example.com', 'u2@example.com'], { signal: controller.signal });
    expect(results(outcome)).toEqual(['delivered by a', 'queue-for-later: aborted']);
    expect(sends()).toEqual(['a']);
  });
});

describe('relays that lack an extension', () => {
  const lacking = { kind: 'unsupported', need: 'SMTPUTF8', enhanced: '5.6.7', message: 'no SMTPUTF8' } as const;
  const transport = (unable: readonly string[], other: 'accepts' | 'busy') => ({
    send: ({ relay, envelope }: { relay: { id: string }; envelope: { to: readonly string[] } }) =>
      Promise.resolve(
        envelope.to.map((recipient) => {
          if (unable.includes(relay.id)) return { recipient, failure: lacking };
          if (other === 'accepts') return { recipient };
          const reply = { code: 450, text: 'busy' };
          return { recipient, failure: { kind: 'reply', phase: 'envelope', reply } as const };
        }),
      ),
  });

  test('at all: the mail is rejected, and nobody is cooled', async () => {
    const { deliver, deliverer } = setUp({ transport: transport(['a', 'b'], 'accepts') });
    const outcome = await deliver('ünï@example.com');
    expect(results(outcome)).toEqual(['rejected: unsupported']);
    expect(outcome.recipients[0]).toMatchObject({ failure: lacking });
    expect(attempts(outcome)).toEqual(['a: unsupported, next-relay', 'b: unsupported, next-relay']);
    expect(deliverer.health()['a']).toMatchObject({ state: 'unknown' });
  });

  test('at some: another takes it', async () => {
    const { deliver } = setUp({ transport: transport(['a'], 'accepts') });
    expect(results(await deliver('ünï@example.com'))).toEqual(['delivered by b']);
  });

  test.each([['a'], ['b']])('at %s, while the other is busy: later', async (unable) => {
    const { deliver } = setUp({ transport: transport([unable], 'busy') });
    expect(results(await deliver('ünï@example.com'))).toEqual(['queue-for-later: 450@envelope']);
  });
});

describe('what the health report says', () => {
  test('state, since when, why and until when, for each relay of the table', async () => {
    const { deliver, deliverer, clock } = setUp({ scripts: { a: ['421@greeting busy', '250'] } });
    const start = clock.now();
    const unknown = { state: 'unknown', since: start };
    expect(deliverer.health()).toEqual({ a: unknown, b: unknown, c: unknown, d: unknown, e: unknown, f: unknown });
    await clock.advance(1000);
    await deliver();
    expect(deliverer.health()).toMatchObject({
      a: {
        state: 'down',
        since: start + 1000,
        until: start + 16_000,
        why: { kind: 'reply', phase: 'connect', reply: { code: 421, text: 'busy' } },
      },
      b: { state: 'up', since: start + 1000 },
    });
    expect(Object.keys(deliverer.health()['a']!)).toEqual(['state', 'since', 'why', 'until']);
    await clock.advance(15_000);
    await deliver();
    await deliver();
    expect(deliverer.health()['a']).toEqual({ state: 'up', since: start + 16_000 });
  });
});

describe('secrets', () => {
  test('stand in nothing that is shown, logged or stored', async () => {
    const secret = 'hunter2';
    const auth = { user: `user-${secret}`, pass: secret };
    const routes = defineRoutes({
      relays: { a: { host: '192.0.2.1', auth, tls: { key: secret } }, b: { host: '192.0.2.2', auth } },
      routes: [{ match: 'ALL', tiers: [['a', 'b']] }],
    });
    const { deliver, deliverer, events } = setUp({ routes, scripts: { a: ['535@auth no'], b: ['250'] } });
    const outcome = await deliver();
    for (const shown of [outcome, events.events, deliverer, deliverer.health(), routes, [...routes.relays()]]) {
      expect(inspect(shown, { depth: 20, showHidden: true })).not.toContain(secret);
      expect(JSON.stringify(shown)).not.toContain(secret);
    }
  });

  test('neither do those of wrong options', () => {
    const build = () => new Deliverer({ routes: { auth: 'hunter2' }, transport: 'hunter2' } as never);
    expect(build).toThrow(RouteConfigError);
    try {
      build();
    } catch (error) {
      expect(inspect((error as RouteConfigError).problems[0])).not.toContain('hunter2');
    }
  });
});

describe('wrong use', () => {
  test('wrong options are told all at once, with their paths', () => {
    const options = {
      routes: {},
      transport: { sned: 1 },
      dns: () => 1,
      classify: 'yes',
      onPossiblyDelivered: 'retry',
      cooling: { initialMs: 0, max: 1 },
      attemptTimeoutMs: -1,
      deadlineMs: 2 ** 31,
      profile: { maxRetries: 1.5, initialRetry: 1 },
      onEvent: {},
      clock: { now: () => 0 },
      random: 4,
      dedlineMs: 5,
    };
    expect(problemsOf(() => new Deliverer(options as never))).toEqual([
      'routes: must be what defineRoutes or parseSmtpRoutes returned, got an object',
      'transport: must have send(), got an object',
      'dns: must have exchanges(), got a function',
      'classify: must be a function, got "yes"',
      'onPossiblyDelivered: must be one of report, queue, next-relay, assume-delivered; got "retry"',
      'attemptTimeoutMs: must be a number of milliseconds from 1 to 2147483647, got -1',
      'deadlineMs: must be a number of milliseconds from 1 to 2147483647, got 2147483648',
      'onEvent: must be a function, got an object',
      'clock: must have sleep(), got an object',
      'random: must be a function, got 4',
      'dedlineMs: unknown option; did you mean "deadlineMs"?',
      'cooling.initialMs: must be a number of milliseconds from 1 to 2147483647, got 0',
      'cooling.max: unknown option; did you mean "maxMs"?',
      'profile.maxRetries: must be an integer from 0 to 1000000, got 1.5',
      'profile.initialRetry: unknown option; did you mean "initialRetryMs"?',
    ]);
    expect(problemsOf(() => new Deliverer({} as never))).toEqual(['routes: is missing', 'transport: is missing']);
    expect(problemsOf(() => new Deliverer(undefined as never))).toEqual(['options: must be an object, got undefined']);
  });

  test('an option given as undefined counts as absent', async () => {
    const { deliver, deliverer, clock } = setUp({
      scripts: { a: ['refused'] },
      cooling: { initialMs: undefined, maxMs: undefined } as never,
      profile: { initialRetryMs: undefined } as never,
      deadlineMs: undefined as never,
    });
    await deliver();
    expect(deliverer.health()['a']?.until).toBe(clock.now() + 15_000);
  });

  const mails: readonly [string, unknown, unknown, string[]][] = [
    [
      'nothing',
      undefined,
      undefined,
      [
        'envelope: must be { from, to }, got undefined',
        'message: must be a string, bytes, or { open() } that returns a new stream each time, got undefined',
      ],
    ],
    [
      'no recipients',
      { envelope: { from: '', to: [] }, message: '' },
      undefined,
      ['envelope.to: must name at least one recipient'],
    ],
    [
      'a bare recipient',
      { envelope: { from: '', to: USER }, message: '' },
      undefined,
      [`envelope.to: must be an array of addresses, got "${USER}"`],
    ],
    [
      'recipients that are no texts',
      { envelope: { from: '', to: [USER, 5, undefined, null] }, message: '' },
      undefined,
      [
        'envelope.to[1]: must be a string, got 5',
        'envelope.to[2]: must be a string, got undefined',
        'envelope.to[3]: must be a string, got null',
      ],
    ],
    [
      'a missing sender',
      { envelope: { to: [USER] }, message: '' },
      undefined,
      ["envelope.from: must be an address, or '' for the null reverse-path, got undefined"],
    ],
    [
      'a stream, which can be read only once',
      { envelope: { from: '', to: [USER] }, message: { pipe: () => 1 } },
      undefined,
      ['message: must be a string, bytes, or { open() } that returns a new stream each time, got an object'],
    ],
    [
      'wrong options',
      { envelope: { from: '', to: [USER] }, message: '' },
      { signal: {}, id: '', sgnal: 1 },
      [
        'options.signal: must be an AbortSignal, got an object',
        'options.id: must be a non-empty string, got ""',
        'options.sgnal: unknown option; did you mean "signal"?',
      ],
    ],
    [
      'null for options',
      { envelope: { from: '', to: [USER] }, message: '' },
      null,
      ['options: must be an object, got null'],
    ],
  ];
  test.each(mails)('deliver() rejects for %s', async (_, mail, options, problems) => {
    const { deliverer } = setUp();
    const error: unknown = await deliverer.deliver(mail as never, options as never).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(RouteConfigError);
    expect((error as RouteConfigError).problems.map(({ path, message }) => `${path}: ${message}`)).toEqual(problems);
  });

  test('updateRoutes refuses what is no table, and the old one holds', async () => {
    const { deliver, deliverer } = setUp();
    expect(problemsOf(() => deliverer.updateRoutes({} as never))).toEqual([
      'routes: must be what defineRoutes or parseSmtpRoutes returned, got an object',
    ]);
    expect(results(await deliver())).toEqual(['delivered by a']);
  });
});

describe('without options of its own', () => {
  test('it takes the time and the dice of the process', async () => {
    const transport = new ScriptedTransport();
    const deliverer = new Deliverer({ routes: allTo(['a']), transport });
    const before = Date.now();
    const { id, attempts: all } = await deliverer.deliver({
      envelope: { from: '', to: [USER] },
      message: Buffer.from('x'),
    });
    expect(id).toMatch(/^[0-9a-f-]{36}-1$/);
    expect(all[0]!.startedAt).toBeGreaterThanOrEqual(before);
    await deliverer.close();
    expect(transport.closed).toBe(true);
  });

  test('a listener may send mail of its own, even about the relay that is being cooled', async () => {
    const sent = vi.fn();
    const clock = new ManualClock();
    const transport = new ScriptedTransport({ a: ['refused', 'refused'], b: ['250', '250'] });
    const deliverer: Deliverer = new Deliverer({
      routes: allTo(['a', 'b']),
      transport,
      clock,
      random: () => 0,
      onEvent: ({ type }) => {
        if (type !== 'relay-cooled') return;
        void deliverer.deliver({ envelope: { from: '', to: ['postmaster@example.com'] }, message: 'alert' }).then(sent);
      },
    });
    await deliverer.deliver({ envelope: { from: SENDER, to: [USER] }, message: MESSAGE });
    await clock.advance(0);
    expect(results(sent.mock.calls[0]![0] as never)).toEqual(['delivered by b']);
    expect(clock.sleeping).toBe(0);
  });
});
