import { afterEach, describe, expect, test } from 'vitest';
import type { Failure, MxAnswer, MxQuestion } from 'smtp-routes';
import { dnsLookup, type DnsLookupOptions } from 'smtp-routes/dns';
import { ManualClock } from 'smtp-routes/testing';
import { DnsServer, type DnsServerOptions, type Zone } from './dns-server.js';

const servers: DnsServer[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

interface Setting {
  readonly server: DnsServer;
  readonly ask: (domain: string, purpose?: MxQuestion['for']) => Promise<MxAnswer>;
}

async function setUp(zone: Zone, options: DnsLookupOptions = {}, behaviour: DnsServerOptions = {}): Promise<Setting> {
  const server = await DnsServer.start(zone, behaviour);
  servers.push(server);
  const dns = dnsLookup({ servers: [server.address], timeoutMs: 150, tries: 2, ...options });
  return {
    server,
    ask: async (domain, purpose = 'recipient') =>
      dns.exchanges(domain, { signal: new AbortController().signal, for: purpose }),
  };
}

/** `mx1[1.1.1.1 1.1.1.2] mx2[…] | mx3[…]`, or `5.1.2 unroutable`. */
function word(answer: MxAnswer): string {
  if (answer.failure) return `${answer.failure.enhanced ?? ''} ${codeOf(answer.failure)}`;
  const tier = (exchanges: (typeof answer.tiers)[number]): string =>
    exchanges.map(({ name, addresses }) => `${name}[${addresses.join(' ')}]`).join(' ');
  return answer.tiers.map(tier).join(' | ');
}

function codeOf(failure: Failure): string {
  return failure.kind === 'lost' ? failure.code : failure.kind;
}

/** Addresses of the public Internet, of nobody in particular. */
const [ONE, TWO, THREE, FOUR] = ['8.8.4.1', '8.8.4.2', '8.8.4.3', '8.8.4.4'] as const;
const [SIX, SIX_TOO] = ['2600::1', '2600::2'] as const;

describe('MX to tiers', () => {
  test.each<[string, Zone, string, DnsServerOptions?]>([
    [
      'preferences are tiers, in their order whatever that of the answer; equal ones share one',
      {
        'x.test': {
          mx: [
            [20, 'c.test'],
            [10, 'b.test'],
            [10, 'a.test'],
            [300, 'd.test'],
          ],
        },
        'a.test': { a: [ONE] },
        'b.test': { a: [TWO] },
        'c.test': { a: [THREE] },
        'd.test': { a: [FOUR] },
      },
      `b.test[${TWO}] a.test[${ONE}] | c.test[${THREE}] | d.test[${FOUR}]`,
    ],
    [
      'names are taken in any spelling',
      { 'x.test': { mx: [[1, 'MX.Test']] }, 'mx.test': { a: [ONE] } },
      `mx.test[${ONE}]`,
    ],
    ['no MX: the name itself', { 'x.test': { a: [ONE] } }, `x.test[${ONE}]`],
    ['a null MX', { 'x.test': { mx: [[0, '.']], a: [ONE] } }, '5.1.10 unroutable'],
    [
      'a null MX among others is passed over',
      {
        'x.test': {
          mx: [
            [0, '.'],
            [10, 'a.test'],
          ],
        },
        'a.test': { a: [ONE] },
      },
      `a.test[${ONE}]`,
    ],
    ['no such domain', {}, '5.1.2 unroutable'],
    ['neither MX nor address', { 'x.test': {} }, '5.4.4 unroutable'],
    ['no answer that can be relied on', { 'x.test': { fails: 'SERVFAIL' } }, '4.4.3 ESERVFAIL'],
    ['a server that refuses', { 'x.test': { fails: 'REFUSED' } }, '4.4.3 EREFUSED'],
    ['a server that does not understand', { 'x.test': { fails: 'NOTIMP' } }, '4.4.3 ENOTIMP'],
    ['a server that says nothing', { 'x.test': { fails: 'silent' } }, '4.4.3 ETIMEOUT'],
    ['no MX, and no answer about addresses', { 'x.test': { fails: { A: 'SERVFAIL' } } }, '4.4.3 ESERVFAIL'],
    [
      'an exchange that does not resolve is skipped while others are left',
      {
        'x.test': {
          mx: [
            [1, 'gone.test'],
            [2, 'empty.test'],
            [3, 'sick.test'],
            [4, 'a.test'],
          ],
        },
        'empty.test': {},
        'sick.test': { fails: 'SERVFAIL' },
        'a.test': { a: [ONE] },
      },
      `a.test[${ONE}]`,
    ],
    ['MX to nothing waits', { 'x.test': { mx: [[1, 'gone.test']] } }, '4.4.4 ENOTFOUND'],
    [
      'none resolves, one for now',
      {
        'x.test': {
          mx: [
            [1, 'gone.test'],
            [2, 'sick.test'],
          ],
        },
        'sick.test': { fails: 'SERVFAIL' },
      },
      '4.4.3 ESERVFAIL',
    ],
    [
      'an address in place of a name is none',
      {
        'x.test': {
          mx: [
            [1, ONE],
            [2, 'a.test'],
          ],
        },
        'a.test': { a: [TWO] },
      },
      `a.test[${TWO}]`,
    ],
    [
      'MX to an alias',
      { 'x.test': { mx: [[1, 'alias.test']] }, 'alias.test': { cname: 'a.test' }, 'a.test': { a: [ONE] } },
      `alias.test[${ONE}]`,
    ],
    [
      'MX to an alias that the server does not follow',
      { 'x.test': { mx: [[1, 'alias.test']] }, 'alias.test': { cname: 'a.test' }, 'a.test': { a: [ONE] } },
      `alias.test[${ONE}]`,
      { bareAliases: true },
    ],
    [
      'a domain that is an alias',
      { 'x.test': { cname: 'y.test' }, 'y.test': { mx: [[1, 'a.test']] }, 'a.test': { a: [ONE] } },
      `a.test[${ONE}]`,
    ],
    [
      'a domain that is an alias which the server does not follow: the MX of the target',
      { 'x.test': { cname: 'y.test' }, 'y.test': { mx: [[1, 'a.test']], a: [TWO] }, 'a.test': { a: [ONE] } },
      `a.test[${ONE}]`,
      { bareAliases: true },
    ],
    ['an alias of itself', { 'x.test': { cname: 'x.test' } }, '4.4.3 ELOOP', { bareAliases: true }],
    [
      'an endless chain of aliases',
      Object.fromEntries(
        Array.from({ length: 40 }, (_, i) => [
          i === 0 ? 'x.test' : `c${String(i)}.test`,
          { cname: `c${String(i + 1)}.test` },
        ]),
      ),
      '4.4.3 ELOOP',
      { bareAliases: true },
    ],
    [
      'an answer that does not fit a datagram',
      { 'x.test': { mx: [[1, 'a.test']], udp: 'truncated' }, 'a.test': { a: [ONE] } },
      `a.test[${ONE}]`,
    ],
    ['an answer to another query', { 'x.test': { a: [ONE], udp: 'wrong-id' } }, '4.4.3 ETIMEOUT'],
    ['an answer to another question', { 'x.test': { a: [ONE], udp: 'wrong-question' } }, '4.4.3 ETIMEOUT'],
  ])('%s', async (_, zone, expected, behaviour) => {
    const { ask } = await setUp(zone, {}, behaviour);
    expect(word(await ask('x.test'))).toBe(expected);
  });

  test('bytes that are no message are no answer', async () => {
    const { ask } = await setUp({ 'x.test': { a: [ONE], udp: 'garbage' } });
    expect(word(await ask('x.test'))).toMatch(/^4\.4\.3 (ETIMEOUT|EBADRESP)$/);
  });

  test('a dead server', async () => {
    const { server, ask } = await setUp({});
    await server.close();
    servers.length = 0;
    expect(word(await ask('x.test'))).toMatch(/^4\.4\.3 (ETIMEOUT|ECONNREFUSED)$/);
  });

  test('a second server is asked where the first fails', async () => {
    const bad = await DnsServer.start({ 'x.test': { fails: 'SERVFAIL' } });
    servers.push(bad);
    const good = await DnsServer.start({ 'x.test': { a: [ONE] } });
    servers.push(good);
    const { ask } = await setUp({}, { servers: [bad.address, good.address] });
    expect(word(await ask('x.test'))).toBe(`x.test[${ONE}]`);
  });

  test('a server that failed is asked once more', async () => {
    const { ask, server } = await setUp({ 'x.test': [{ fails: 'SERVFAIL' }, { a: [ONE] }] });
    expect(word(await ask('x.test'))).toBe(`x.test[${ONE}]`);
    expect(server.asked('MX x.test')).toBe(2);
  });

  test('what was left out is told, with the reason, and who was asked', async () => {
    const { ask, server } = await setUp({
      'x.test': {
        mx: [
          [1, 'gone.test'],
          [2, 'sick.test'],
          [3, 'inner.test'],
          [4, 'a_b.test'],
          [5, 'bad name.test'],
        ],
      },
      'sick.test': { fails: 'SERVFAIL' },
      'inner.test': { a: ['10.0.0.1', ONE] },
      'a_b.test': { a: [TWO] },
    });
    expect(await ask('x.test')).toEqual({
      tiers: [[{ name: 'inner.test', addresses: [ONE] }], [{ name: 'a_b.test', addresses: [TWO] }]],
      skipped: [
        { name: expect.stringContaining('bad') as string, why: 'this is no host name' },
        { name: 'gone.test', why: 'no such name' },
        { name: 'sick.test', why: 'ESERVFAIL' },
        { name: 'inner.test', why: 'not public: 10.0.0.1' },
      ],
      servers: [server.address],
      cached: false,
    });
  });

  test.each([
    'x..test',
    'x test',
    `${'a'.repeat(64)}.test`,
    `${'abc.'.repeat(70)}test`,
    '',
    '1.2.3.4',
    'x\0.test',
    '*.test',
  ])('%j never reaches a server', async (domain) => {
    const { ask, server } = await setUp({});
    const answer = await ask(domain);
    expect(word(answer)).toBe('5.1.2 unroutable');
    expect(server.queries).toEqual([]);
  });
});

describe('own names', () => {
  const zone: Zone = {
    'x.test': {
      mx: [
        [10, 'a.test'],
        [20, 'us.test'],
        [20, 'b.test'],
        [30, 'c.test'],
      ],
    },
    'a.test': { a: [ONE] },
    'b.test': { a: [TWO] },
    'c.test': { a: [THREE] },
    'us.test': { a: [FOUR] },
    'y.test': {
      mx: [
        [10, 'us.test'],
        [20, 'a.test'],
      ],
    },
  };

  test('cut the list at their own preference', async () => {
    const { ask } = await setUp(zone, { ownNames: ['US.test.'] });
    expect(word(await ask('x.test'))).toBe(`a.test[${ONE}]`);
  });

  test('leave nothing where they come first, the domain itself included', async () => {
    const { ask } = await setUp(zone, { ownNames: ['us.test'] });
    expect(word(await ask('y.test'))).toBe('5.4.6 unroutable');
    expect(word(await ask('us.test'))).toBe('5.4.6 unroutable');
  });

  test('do not bind a host that a route names', async () => {
    const { ask } = await setUp(zone, { ownNames: ['us.test'] });
    expect(word(await ask('us.test', 'relay'))).toBe(`us.test[${FOUR}]`);
  });
});

describe('addresses', () => {
  const zone: Zone = {
    'x.test': {
      mx: [
        [1, 'a.test'],
        [1, 'b.test'],
        [2, 'c.test'],
      ],
    },
    'a.test': { a: [ONE, TWO, ONE], aaaa: [SIX] },
    'b.test': { a: [TWO], aaaa: [SIX_TOO, '2600:0::0:2'] },
    'c.test': { a: [TWO, THREE], aaaa: [SIX] },
    'six.test': { aaaa: [SIX] },
  };

  test.each([
    ['prefer-v4', `a.test[${ONE} ${TWO} ${SIX}] b.test[${SIX_TOO}] | c.test[${THREE}]`],
    ['prefer-v6', `a.test[${SIX} ${ONE} ${TWO}] b.test[${SIX_TOO}] | c.test[${THREE}]`],
    ['require-v4', `a.test[${ONE} ${TWO}] | c.test[${THREE}]`],
    ['require-v6', `a.test[${SIX}] b.test[${SIX_TOO}]`],
  ] as const)('%s; each address once, where it is preferred most', async (ipPreference, expected) => {
    const { ask, server } = await setUp(zone, { ipPreference });
    expect(word(await ask('x.test'))).toBe(expected);
    if (ipPreference === 'require-v4') expect(server.queries.filter((query) => query.startsWith('AAAA'))).toEqual([]);
  });

  test('of IPv6 alone are enough, unless IPv4 is required', async () => {
    expect(word(await (await setUp(zone)).ask('six.test'))).toBe(`six.test[${SIX}]`);
    const { ask } = await setUp(zone, { ipPreference: 'require-v4' });
    expect(word(await ask('six.test'))).toBe('5.4.4 unroutable');
  });

  test('of one family are used although the other fails', async () => {
    const { ask } = await setUp({ 'x.test': { a: [ONE], fails: { AAAA: 'SERVFAIL' } } });
    expect(word(await ask('x.test'))).toBe(`x.test[${ONE}]`);
  });

  test.each([
    [`[${ONE}]`, `[${ONE}][${ONE}]`],
    ['[IPv6:2600::1]', '[IPv6:2600::1][2600::1]'],
    ['[127.0.0.1]', '5.4.4 unroutable'],
    ['[IPv6:::1]', '5.4.4 unroutable'],
    ['[IPv6:::ffff:169.254.169.254]', '5.4.4 unroutable'],
    ['[1.2]', '5.1.2 unroutable'],
  ])('of the literal %s are not looked up', async (literal, expected) => {
    const { ask, server } = await setUp({});
    expect(word(await ask(literal))).toBe(expected);
    expect(server.queries).toEqual([]);
  });
});

describe('addresses that are not public', () => {
  const zone: Zone = {
    'x.test': {
      mx: [
        [1, 'inner.test'],
        [2, 'a.test'],
      ],
    },
    'y.test': { mx: [[1, 'inner.test']] },
    'z.test': {
      mx: [
        [1, 'inner.test'],
        [2, 'sick.test'],
      ],
    },
    'inner.test': { a: ['169.254.169.254', '127.0.0.1'], aaaa: ['::1', '::ffff:10.0.0.1', '2002:a00:1::'] },
    'a.test': { a: [ONE] },
    'self.test': { a: ['127.0.0.1'] },
    'sick.test': { fails: 'SERVFAIL' },
  };

  test('are passed over, and refuse the mail if there is nothing else', async () => {
    const { ask } = await setUp(zone);
    expect(word(await ask('x.test'))).toBe(`a.test[${ONE}]`);
    expect(word(await ask('y.test'))).toBe('5.4.4 unroutable');
    expect(word(await ask('self.test'))).toBe('5.4.4 unroutable');
    expect(word(await ask('z.test')), 'another exchange may be found later').toBe('4.4.3 ESERVFAIL');
  });

  test('are allowed to a route, and by an option', async () => {
    const { ask } = await setUp(zone);
    expect(word(await ask('self.test', 'relay'))).toBe('self.test[127.0.0.1]');
    expect(word(await ask('self.test')), 'the answers are kept apart').toBe('5.4.4 unroutable');
    const free = await setUp(zone, { allowPrivateAddresses: true });
    expect(word(await free.ask('self.test'))).toBe('self.test[127.0.0.1]');
    expect(word(await free.ask('[127.0.0.1]'))).toBe('[127.0.0.1][127.0.0.1]');
  });
});

describe('a long answer', () => {
  const mx = (count: number, preference: (i: number) => number): [number, string][] =>
    Array.from({ length: count }, (_, i) => [preference(i), `mx${String(i)}.test`]);
  const hosts = (count: number): Zone =>
    Object.fromEntries(
      Array.from({ length: count }, (_, i) => [
        `mx${String(i)}.test`,
        { a: [`9.9.${String(i >> 8)}.${String(i & 255)}`] },
      ]),
    );

  test('is cut, and the next preference keeps its share', async () => {
    const { ask, server } = await setUp({ 'x.test': { mx: mx(300, (i) => (i < 299 ? 10 : 20)) }, ...hosts(300) });
    const answer = await ask('x.test');
    expect(answer.failure).toBeUndefined();
    expect('tiers' in answer && answer.tiers.map((tier) => tier.length)).toEqual([19, 1]);
    expect(server.queries.length).toBeLessThan(50);
  });

  test('of exchanges that do not resolve gives way to others, within bounds', async () => {
    const all = { 'x.test': { mx: mx(300, () => 10) } };
    const late = await setUp({ ...all, ...Object.fromEntries(Object.entries(hosts(300)).slice(30)) });
    const answer = await late.ask('x.test');
    expect('tiers' in answer && answer.tiers[0]?.[0]?.name).toBe('mx30.test');
    const never = await setUp(all);
    expect(word(await never.ask('x.test'))).toBe('4.4.4 ENOTFOUND');
    expect(never.server.queries.length).toBeLessThan(130);
  });

  test('of addresses keeps both families and all exchanges', async () => {
    const many = Array.from({ length: 60 }, (_, i) => `9.9.9.${String(i)}`);
    const { ask } = await setUp(
      {
        'x.test': {
          mx: [
            [1, 'a.test'],
            [2, 'b.test'],
          ],
        },
        'a.test': { a: many, aaaa: [SIX] },
        'b.test': { a: [ONE] },
      },
      { maxHosts: 4 },
    );
    expect(word(await ask('x.test'))).toBe(`a.test[9.9.9.0 9.9.9.1 ${SIX}] | b.test[${ONE}]`);
  });
});

describe('the cache', () => {
  const zone: Zone = {
    'x.test': { mx: [[1, 'a.test']] },
    'y.test': { mx: [[1, 'a.test']] },
    'a.test': { a: [ONE], ttl: 30 },
    'null.test': { mx: [[0, '.']] },
    'fresh.test': { a: [ONE], ttl: 0 },
    'old.test': { a: [ONE], ttl: 999_999 },
    'sick.test': [{ fails: 'SERVFAIL' }, { fails: 'SERVFAIL' }, { a: [ONE] }],
  };

  test('answers at once, and says so, until the TTL of the address is over', async () => {
    const clock = new ManualClock();
    const { ask, server } = await setUp(zone, { clock });
    expect(await ask('x.test')).toMatchObject({ cached: false, servers: [server.address] });
    const asked = server.queries.length;
    await clock.advance(29_000);
    expect(await ask('x.test')).toMatchObject({ cached: true });
    expect(server.queries.length).toBe(asked);
    await clock.advance(2_000);
    expect(await ask('x.test')).toMatchObject({ cached: false });
    expect(server.queries.length).toBeGreaterThan(asked);
  });

  test('shares hosts among domains', async () => {
    const { ask, server } = await setUp(zone);
    await ask('x.test');
    await ask('y.test');
    expect(server.asked('A a.test')).toBe(1);
    expect(server.asked('MX y.test')).toBe(1);
  });

  test('keeps an answer without a TTL, or with an endless one, for so long', async () => {
    const clock = new ManualClock();
    const { ask, server } = await setUp(zone, { clock, ttlMs: 1_000_000, maxTtlMs: 10_000 });
    await ask('old.test');
    await clock.advance(9_000);
    await ask('old.test');
    expect(server.asked('A old.test')).toBe(1);
    await clock.advance(2_000);
    await ask('old.test');
    expect(server.asked('A old.test')).toBe(2);
  });

  test('keeps a refusal for a shorter time', async () => {
    const clock = new ManualClock();
    const { ask, server } = await setUp(zone, { clock });
    await ask('null.test');
    await clock.advance(59_000);
    expect(await ask('null.test')).toMatchObject({ cached: true });
    await clock.advance(2_000);
    await ask('null.test');
    expect(server.asked('MX null.test')).toBe(2);
  });

  test('keeps nothing that passes, and nothing with a TTL of 0', async () => {
    const { ask } = await setUp(zone, { tries: 1 });
    expect(word(await ask('sick.test'))).toBe('4.4.3 ESERVFAIL');
    expect(await ask('fresh.test')).toMatchObject({ cached: false });
    expect(await ask('fresh.test')).toMatchObject({ cached: false });
  });

  test('a failure that passes is asked about again', async () => {
    const { ask } = await setUp({ 'x.test': [{ fails: 'SERVFAIL' }, { a: [ONE] }] }, { tries: 1 });
    expect(word(await ask('x.test'))).toBe('4.4.3 ESERVFAIL');
    expect(word(await ask('x.test'))).toBe(`x.test[${ONE}]`);
  });

  test('can be left out', async () => {
    const { ask, server } = await setUp(zone, { cacheSize: 0 });
    await ask('x.test');
    await ask('x.test');
    expect(server.asked('MX x.test')).toBe(2);
  });

  test('one look-up for all who ask at once; one who gives up disturbs nobody', async () => {
    const server = await DnsServer.start({ ...zone, 'x.test': { mx: [[1, 'a.test']], delayMs: 50 } });
    servers.push(server);
    const dns = dnsLookup({ servers: [server.address] });
    const controller = new AbortController();
    const given = Promise.resolve(dns.exchanges('x.test', { signal: controller.signal, for: 'recipient' }));
    const others = Array.from({ length: 20 }, () =>
      Promise.resolve(dns.exchanges('x.test', { signal: new AbortController().signal, for: 'recipient' })),
    );
    controller.abort(new Error('given up'));
    await expect(given).rejects.toThrow('given up');
    for (const answer of await Promise.all(others)) expect(word(answer)).toBe(`a.test[${ONE}]`);
    expect(server.asked('MX x.test')).toBe(1);
    await expect(dns.exchanges('z.test', { signal: AbortSignal.abort(), for: 'recipient' })).rejects.toThrow();
  });
});

test('a thousand cold domains at once: no more queries at once than allowed', { timeout: 30_000 }, async () => {
  const domains = Array.from({ length: 1000 }, (_, i) => `d${String(i)}.test`);
  const zone = Object.fromEntries(domains.map((domain) => [domain, { a: [ONE] }]));
  const { ask, server } = await setUp(zone, { maxQueries: 50, timeoutMs: 5_000 }, { delayMs: 20 });
  const answers = await Promise.all(domains.map((domain) => ask(domain)));
  expect(answers.filter(({ failure }) => failure)).toEqual([]);
  expect(server.mostAtOnce).toBeLessThanOrEqual(50);
  expect(server.mostAtOnce).toBeGreaterThan(25);
});

describe('options', () => {
  test('are checked all at once', () => {
    const wrong = {
      servers: ['192.0.2.1', 'ns.example'],
      tries: 0,
      ipPreference: 'v4',
      ownNames: ['a b'],
      clock: {},
      timeout: 1,
    };
    expect(() => dnsLookup(wrong as unknown as DnsLookupOptions)).toThrow(
      expect.objectContaining({
        code: 'ERR_SMTP_ROUTES_CONFIG',
        problems: [
          { path: 'servers', message: 'must be an array of addresses of name servers; "ns.example" is none' },
          { path: 'tries', message: 'must be an integer from 1 to 10, got 0' },
          { path: 'ipPreference', message: 'must be one of prefer-v4, prefer-v6, require-v4, require-v6; got "v4"' },
          { path: 'ownNames', message: 'must be an array of host names; "a b" is none' },
          { path: 'clock', message: 'must have now()' },
          { path: 'timeout', message: expect.stringContaining('unknown option') as string },
        ],
      }) as Error,
    );
    expect(() => dnsLookup({ servers: [] })).toThrow('must name at least one server');
  });

  test('default to the servers of the system', async () => {
    const dns = dnsLookup();
    const answer = await dns.exchanges('[8.8.8.8]', { signal: new AbortController().signal, for: 'recipient' });
    expect(word(answer)).toBe('[8.8.8.8][8.8.8.8]');
  });
});
