/**
 * Mail to domains that no route names: over real DNS and real SMTP, on loopback.
 */
import { generate } from 'selfsigned';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Deliverer, defineRoutes, parseSmtpRoutes } from 'smtp-routes';
import type { DeliveryEvent, DeliveryOutcome, MxOptions, RouteTable } from 'smtp-routes';
import { dnsLookup, type DnsLookupOptions } from 'smtp-routes/dns';
import { nodemailerTransport } from 'smtp-routes/nodemailer';
import { assertAccounted, recordEvents, startSmtpServer, type EventRecorder } from 'smtp-routes/testing';
import type { SmtpServerOptions, SmtpTestServer } from 'smtp-routes/testing';
import { attempts, results } from '../delivery/set-up.js';
import { DnsServer, type Zone } from './dns-server.js';

const MESSAGE = 'Subject: x\r\n\r\nhello\r\n';
const cleanUp: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of cleanUp.splice(0).reverse()) await close();
});

interface Setting {
  readonly dns: DnsServer;
  readonly deliverer: Deliverer;
  readonly events: EventRecorder<DeliveryEvent>;
  readonly deliver: (...to: string[]) => Promise<DeliveryOutcome>;
}

async function server(host: string, options: SmtpServerOptions = {}): Promise<SmtpTestServer> {
  const started = await startSmtpServer({ host, ...options });
  cleanUp.push(() => started.close());
  return started;
}

interface SetUp {
  readonly zone: Zone;
  readonly port: number;
  readonly routes?: RouteTable;
  readonly lookup?: DnsLookupOptions;
  readonly mx?: MxOptions;
}

async function setUp({ zone, port, routes, lookup, mx }: SetUp): Promise<Setting> {
  const dns = await DnsServer.start(zone);
  cleanUp.push(() => dns.close());
  const events = recordEvents<DeliveryEvent>();
  const deliverer = new Deliverer({
    routes: routes ?? defineRoutes({ relays: {}, routes: [] }),
    transport: nodemailerTransport(),
    dns: dnsLookup({ servers: [dns.address], timeoutMs: 500, allowPrivateAddresses: true, ...lookup }),
    mx: { port, ...mx },
    random: () => 0,
    onEvent: events,
  });
  cleanUp.push(() => deliverer.close());
  const deliver = async (...to: string[]): Promise<DeliveryOutcome> => {
    const outcome = await deliverer.deliver({ envelope: { from: 'a@sender.example', to }, message: MESSAGE });
    assertAccounted(to, outcome);
    expect(JSON.parse(JSON.stringify(outcome))).toEqual(outcome);
    return outcome;
  };
  return { dns, deliverer, events, deliver };
}

/** Two hosts with one port: 127.0.0.2 and 127.0.0.3. */
async function pair(
  first: SmtpServerOptions = {},
  second: SmtpServerOptions = {},
): Promise<[SmtpTestServer, SmtpTestServer]> {
  for (let tries = 0; ; tries++) {
    const one = await startSmtpServer({ host: '127.0.0.2', ...first });
    try {
      const two = await startSmtpServer({ host: '127.0.0.3', port: one.port, ...second });
      cleanUp.push(
        () => one.close(),
        () => two.close(),
      );
      return [one, two];
    } catch (error) {
      await one.close();
      if (tries === 5) throw error;
    }
  }
}

describe('a domain without a route', () => {
  test('goes to its exchanges by preference; each address is an attempt of its own', async () => {
    const [first, second] = await pair({ script: '431@greeting full' });
    const { deliver, deliverer } = await setUp({
      port: first.port,
      zone: {
        'x.test': {
          mx: [
            [10, 'mx.test'],
            [20, 'backup.test'],
          ],
        },
        'mx.test': { a: ['127.0.0.2', '127.0.0.4'] },
        'backup.test': { a: ['127.0.0.3', '127.0.0.2'] },
      },
    });
    const outcome = await deliver('u@x.test');
    expect(results(outcome)).toEqual(['delivered by backup.test']);
    expect(outcome.attempts.map(({ relay, host, address, tier }) => [relay, host, address, tier])).toEqual([
      ['mx.test', 'mx.test', '127.0.0.2', 0],
      ['mx.test', 'mx.test', '127.0.0.4', 0],
      ['backup.test', 'backup.test', '127.0.0.3', 1],
    ]);
    expect(attempts(outcome)).toEqual([
      'mx.test: 431@connect, next-relay and cool',
      'mx.test: ECONNREFUSED@connect, next-relay and cool',
      'backup.test: accepted',
    ]);
    expect(second.messages).toHaveLength(1);
    expect(deliverer.health()).toMatchObject({
      'mx.test[127.0.0.2]': { state: 'down' },
      'mx.test[127.0.0.4]': { state: 'down' },
      'backup.test[127.0.0.3]': { state: 'up' },
    });
  });

  test('equal preferences take turns by name, whatever the number of addresses', async () => {
    const [one, two] = await pair();
    const { deliver, dns } = await setUp({
      port: one.port,
      zone: {
        'x.test': {
          mx: [
            [10, 'one.test'],
            [10, 'two.test'],
          ],
        },
        'one.test': { a: ['127.0.0.2', '127.0.0.5', '127.0.0.6'] },
        'two.test': { a: ['127.0.0.3'] },
      },
    });
    for (let i = 0; i < 6; i++) await deliver('u@x.test');
    expect([one.messages.length, two.messages.length]).toEqual([3, 3]);
    expect(dns.asked('MX x.test')).toBe(1);
  });

  test('what DNS was asked is in the outcome and in an event', async () => {
    const host = await server('127.0.0.2');
    const { deliver, dns, events } = await setUp({
      port: host.port,
      zone: {
        'x.test': {
          mx: [
            [10, 'mx.test'],
            [20, 'gone.test'],
          ],
        },
        'mx.test': { a: ['127.0.0.2'] },
      },
    });
    const lookup = {
      domain: 'x.test',
      servers: [dns.address],
      cached: false,
      exchanges: [{ name: 'mx.test', tier: 0, addresses: ['127.0.0.2'] }],
      skipped: [{ name: 'gone.test', why: 'no such name' }],
    };
    const { id, lookups } = await deliver('u@x.test');
    expect(lookups).toEqual([lookup]);
    expect(events.ofType('lookup')).toEqual([{ type: 'lookup', at: expect.any(Number) as number, id, ...lookup }]);
    expect((await deliver('u@x.test')).lookups).toEqual([{ ...lookup, cached: true }]);
  });

  test('each domain by itself, and nobody waits for another', async () => {
    const host = await server('127.0.0.2');
    const { deliver } = await setUp({
      port: host.port,
      zone: {
        'good.test': { mx: [[1, 'mx.test']] },
        'mx.test': { a: ['127.0.0.2'] },
        'null.test': { mx: [[0, '.']] },
        'empty.test': {},
        'sick.test': { fails: 'SERVFAIL' },
        'nowhere.test': { mx: [[1, 'gone.test']] },
      },
    });
    const domains = ['good', 'null', 'empty', 'sick', 'nowhere', 'missing'];
    const outcome = await deliver(...domains.map((domain) => `u@${domain}.test`));
    expect(results(outcome)).toEqual([
      'delivered by mx.test',
      'rejected: unroutable',
      'rejected: unroutable',
      'queue-for-later: ESERVFAIL@connect',
      'queue-for-later: ENOTFOUND@connect',
      'rejected: unroutable',
    ]);
    expect(outcome.recipients.map((result) => ('failure' in result ? result.failure.enhanced : undefined))).toEqual([
      undefined,
      '5.1.10',
      '5.4.4',
      '4.4.3',
      '4.4.4',
      '5.1.2',
    ]);
  });

  test('whose exchange is this network is refused, unless that is allowed', async () => {
    const host = await server('127.0.0.2');
    const zone: Zone = { 'x.test': { mx: [[1, 'mx.test']] }, 'mx.test': { a: ['127.0.0.2'] } };
    const { deliver } = await setUp({ zone, port: host.port, lookup: { allowPrivateAddresses: false } });
    const outcome = await deliver('u@x.test', 'u@[127.0.0.2]', 'u@[IPv6:::1]');
    expect(results(outcome)).toEqual(Array(3).fill('rejected: unroutable'));
    expect(host.connections).toBe(0);
  });

  test('an address literal goes straight there', async () => {
    const host = await server('127.0.0.2');
    const { deliver, dns } = await setUp({ zone: {}, port: host.port });
    const outcome = await deliver('u@[127.0.0.2]');
    expect(results(outcome)).toEqual(['delivered by [127.0.0.2]']);
    expect(dns.queries).toEqual([]);
    expect(outcome.attempts[0]).toMatchObject({ host: '127.0.0.2', address: '127.0.0.2' });
  });

  test('USEDNS, beside a route for all', async () => {
    const host = await server('127.0.0.2');
    const { deliver } = await setUp({
      port: host.port,
      routes: parseSmtpRoutes('x.test USEDNS\nALL [127.0.0.9]:1'),
      zone: { 'x.test': { a: ['127.0.0.2'] } },
    });
    expect(results(await deliver('u@x.test'))).toEqual(['delivered by x.test']);
  });
});

describe('TLS with the servers of strangers', () => {
  const certificate = async (): Promise<{ key: string; cert: string }> => {
    const { private: key, cert } = await generate([{ name: 'commonName', value: 'other.test' }]);
    return { key, cert };
  };
  const zone: Zone = { 'x.test': { mx: [[1, 'mx.test']] }, 'mx.test': { a: ['127.0.0.2'] } };

  test('is used where it is offered, unverified, with the name of the exchange', async () => {
    const host = await server('127.0.0.2', { tls: await certificate() });
    const { deliver, events } = await setUp({ zone, port: host.port, mx: { name: 'sender.example' } });
    expect(results(await deliver('u@x.test'))).toEqual(['delivered by mx.test']);
    expect(events.ofType('connection-opened')[0]?.tls).toBeDefined();
    expect(host.sessions[0]?.commands).toContain('EHLO sender.example');
  });

  test('that fails in the handshake gives way to a clear connection, once', async () => {
    const tls = { ...(await certificate()), maxVersion: 'TLSv1.2', minVersion: 'TLSv1.2' } as const;
    const host = await server('127.0.0.2', { tls });
    const mx = { tls: { minVersion: 'TLSv1.3' } };
    const { deliver, events } = await setUp({ zone, port: host.port, mx });
    expect(results(await deliver('u@x.test'))).toEqual(['delivered by mx.test']);
    expect(host.connections).toBe(2);
    expect(events.ofType('connection-opened').at(-1)?.tls).toBeUndefined();
  });

  test.each<[string, MxOptions]>([
    ['TLS is required', { requireTLS: true, tls: { minVersion: 'TLSv1.3' } }],
    ['the certificate is verified', { tls: { rejectUnauthorized: true } }],
    ['it is not opportunistic', { opportunisticTLS: false, tls: { minVersion: 'TLSv1.3' } }],
  ])('that fails does not give way where %s', async (_, mx) => {
    const tls = { ...(await certificate()), maxVersion: 'TLSv1.2', minVersion: 'TLSv1.2' } as const;
    const host = await server('127.0.0.2', { tls });
    const { deliver } = await setUp({ zone, port: host.port, mx });
    expect((await deliver('u@x.test')).recipients[0]?.status).toBe('queue-for-later');
    expect(host.connections).toBe(1);
    expect(host.messages).toEqual([]);
  });

  test('no credentials can be set', () => {
    const options = {
      routes: defineRoutes({ relays: {}, routes: [], otherwise: 'reject' }),
      transport: nodemailerTransport(),
      mx: { auth: { user: 'u', pass: 'p' }, host: 'x', servername: 'y' } as MxOptions,
    };
    expect(() => new Deliverer(options)).toThrow(
      expect.objectContaining({
        problems: ['auth', 'host', 'servername'].map((name) => ({
          path: `mx.${name}`,
          message: expect.stringContaining('unknown option') as string,
        })),
      }) as Error,
    );
  });
});

describe('a relay whose host needs MX', () => {
  const zone = (extra: Zone = {}): Zone => ({
    'hub.test': {
      mx: [
        [10, 'one.test'],
        [10, 'two.test'],
      ],
    },
    'one.test': { a: ['127.0.0.2'] },
    'two.test': { a: ['127.0.0.3'] },
    ...extra,
  });

  test('is reached at its exchanges, private ones too; equal ones take turns; its settings and id hold', async () => {
    const [one, two] = await pair({ auth: (user, pass) => user === 'u' && pass === 'p' }, { auth: () => true });
    const { deliver } = await setUp({
      port: 1,
      zone: zone(),
      lookup: { allowPrivateAddresses: false },
      routes: defineRoutes({
        relays: { hub: { host: 'hub.test', port: one.port, lookup: 'mx', auth: { user: 'u', pass: 'p' } } },
        routes: [{ match: 'ALL', tiers: [['hub']] }],
      }),
    });
    const outcome = await deliver('u@x.test');
    expect(results(outcome)).toEqual(['delivered by hub']);
    expect(outcome.attempts[0]).toMatchObject({ relay: 'hub', host: 'one.test', address: '127.0.0.2', tier: 0 });
    for (let i = 0; i < 3; i++) await deliver('u@x.test');
    expect([one.messages.length, two.messages.length]).toEqual([2, 2]);
    expect(one.messages[0]?.user).toBe('u');
  });

  test('in text: a bare name', async () => {
    const [one] = await pair({ script: 'refused' });
    const { deliver } = await setUp({
      port: 1,
      zone: zone(),
      routes: parseSmtpRoutes(`ALL hub.test:${String(one.port)}/pri=0, [127.0.0.4]:${String(one.port)}/pri=1`),
    });
    const outcome = await deliver('u@x.test');
    expect(outcome.attempts.map(({ relay, address, tier }) => [relay, address, tier])).toEqual([
      [`hub.test:${String(one.port)}`, '127.0.0.2', 0],
      [`hub.test:${String(one.port)}`, '127.0.0.3', 0],
    ]);
  });

  test.each(['gone.test', 'null.test', 'sick.test'])(
    'that is not to be found (%s) is passed over, and never rejects mail',
    async (host) => {
      const [one] = await pair();
      const relays = {
        lost: { host, port: one.port, lookup: 'mx' },
        other: { host: '127.0.0.2', port: one.port },
      } as const;
      const setting = {
        port: 1,
        zone: zone({ 'null.test': { mx: [[0, '.']] }, 'sick.test': { fails: 'SERVFAIL' } }),
        lookup: { tries: 1 },
      } as const;
      const both = await setUp({
        ...setting,
        routes: defineRoutes({ relays, routes: [{ match: 'ALL', tiers: [['lost'], ['other']] }] }),
      });
      const outcome = await both.deliver('u@x.test');
      expect(results(outcome)).toEqual(['delivered by other']);
      expect(outcome.attempts[0]?.tier).toBe(1);
      const alone = await setUp({
        ...setting,
        routes: defineRoutes({ relays, routes: [{ match: 'ALL', tiers: [['lost']] }] }),
      });
      expect((await alone.deliver('u@x.test')).recipients[0]?.status).toBe('queue-for-later');
    },
  );
});

test('a thousand domains in turn leave no more behind than the bounds say', { timeout: 60_000 }, async () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  const host = await server('127.0.0.2', { keep: 'counts' });
  const domains = Array.from({ length: 1000 }, (_, i) => `d${String(i)}.test`);
  const { deliver } = await setUp({
    port: host.port,
    zone: Object.fromEntries(domains.map((domain) => [domain, { a: ['127.0.0.2'] }])),
  });
  const outcomes = await Promise.all(domains.map((domain) => deliver(`u@${domain}`)));
  expect(outcomes.filter(({ recipients }) => recipients[0]?.status !== 'delivered')).toEqual([]);
  expect(warn).not.toHaveBeenCalled();
  warn.mockRestore();
});
