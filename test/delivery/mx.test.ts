import { describe, expect, test, vi } from 'vitest';
import { defineRoutes } from 'smtp-routes';
import type { DnsLookup, MxAnswer } from 'smtp-routes';
import { attempts, RELAYS, results, setUp, told, turns } from './set-up.js';

const routes = defineRoutes({
  relays: RELAYS,
  routes: [
    { match: 'known.example', tiers: [['a']] },
    { match: 'mx.example', action: 'mx' },
  ],
  otherwise: 'reject',
});

const answering = (answer: () => unknown): DnsLookup => ({ exchanges: answer as () => Promise<MxAnswer> });

describe('without dns', () => {
  test('mail that needs it is queued for later, and the rest goes out', async () => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const { deliver } = setUp({ routes });
    const outcome = await deliver(['x@mx.example', 'x@known.example']);
    expect(results(outcome)).toEqual(['queue-for-later: ENODNS@connect', 'delivered by a']);
    expect(outcome.recipients[0]).toMatchObject({
      failure: { enhanced: '4.4.3', message: expect.stringContaining('no dns') as string },
    });
    vi.restoreAllMocks();
  });

  test.each([
    ['a route that uses MX', routes, 'the route for mx.example uses MX'],
    [
      'no route for all',
      defineRoutes({ relays: RELAYS, routes: [] }),
      'no route matches ALL, so other domains are delivered to their MX',
    ],
  ])('is told of once, when the app starts: %s', (_, table, why) => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const { events } = setUp({ routes: table });
    expect(warn.mock.calls).toEqual([
      [
        `mail that needs DNS will be queued for later: ${why}, and the Deliverer was given no dns`,
        { code: 'SMTP_ROUTES_NO_DNS' },
      ],
    ]);
    expect(told(events)).toEqual(['lookup']);
    expect(events.ofType('lookup')[0]).toMatchObject({ domain: '*', failure: { code: 'ENODNS' } });
    warn.mockRestore();
  });

  test('a table that never needs it is not warned of', () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    setUp({
      routes: defineRoutes({ relays: RELAYS, routes: [{ match: 'a.example', tiers: [['a']] }], otherwise: 'reject' }),
    });
    expect(warn).not.toHaveBeenCalled();
    warn.mockRestore();
  });
});

describe('with dns', () => {
  test('exchanges are tried by preference, equal ones in turn', async () => {
    const asked: string[] = [];
    const dns: DnsLookup = {
      exchanges: (domain) => {
        asked.push(domain);
        return Promise.resolve({
          tiers: [
            [
              { name: 'mx1.mx.example', addresses: ['198.51.100.1'] },
              { name: 'mx2.mx.example', addresses: ['198.51.100.2'] },
            ],
            [{ name: 'backup.example', addresses: ['198.51.100.3'] }],
          ],
        });
      },
    };
    const { deliver, events, deliverer } = setUp({
      routes,
      dns,
      scripts: { 'mx1.mx.example': ['refused'], 'mx2.mx.example': ['450@rcpt', '250'], 'backup.example': ['250'] },
    });
    const outcome = await deliver(['1@MX.example.', '2@mx.example']).catch((error: unknown) => error);
    expect(outcome).not.toBeInstanceOf(Error);
    const second = await deliver(['3@mx.example']);
    expect(attempts(second)).toEqual(['mx2.mx.example: accepted']);
    expect(asked).toEqual(['mx.example', 'mx.example']);
    expect(events.ofType('lookup')[0]).toMatchObject({
      domain: 'mx.example',
      exchanges: [
        { name: 'mx1.mx.example', tier: 0, addresses: ['198.51.100.1'] },
        { name: 'mx2.mx.example', tier: 0, addresses: ['198.51.100.2'] },
        { name: 'backup.example', tier: 1, addresses: ['198.51.100.3'] },
      ],
    });
    expect(
      events.ofType('attempt-started').map(({ host, address, port, tier }) => [host, address, port, tier]),
    ).toEqual([
      ['mx1.mx.example', '198.51.100.1', 25, 0],
      ['mx2.mx.example', '198.51.100.2', 25, 0],
      ['backup.example', '198.51.100.3', 25, 1],
      ['mx2.mx.example', '198.51.100.2', 25, 0],
    ]);
    expect(deliverer.health()).toMatchObject({
      'mx1.mx.example[198.51.100.1]': { state: 'down' },
      'mx2.mx.example[198.51.100.2]': { state: 'up' },
    });
  });

  test.each<[string, () => unknown, string]>([
    [
      'a failure for good',
      () => Promise.resolve({ failure: { kind: 'unroutable', enhanced: '5.1.2', message: 'no such domain' } }),
      'rejected: unroutable',
    ],
    [
      'a failure for now',
      () => Promise.resolve({ failure: { kind: 'lost', phase: 'connect', code: 'ESERVFAIL', message: 'later' } }),
      'queue-for-later: ESERVFAIL@connect',
    ],
    ['a rejection', () => Promise.reject(new Error('bug')), 'queue-for-later: EDNS@connect'],
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
    ['a rejection that cannot be read', () => Promise.reject(Object.create(null)), 'queue-for-later: EDNS@connect'],
    ['nothing', () => Promise.resolve(), 'queue-for-later: EDNS@connect'],
    ['no exchanges', () => Promise.resolve({ tiers: [] }), 'queue-for-later: EDNS@connect'],
    [
      'an empty tier',
      () => Promise.resolve({ tiers: [[{ name: 'mx.example', addresses: ['198.51.100.1'] }], []] }),
      'queue-for-later: EDNS@connect',
    ],
    [
      'exchanges without addresses',
      () => Promise.resolve({ tiers: [[{ name: 'mx.example', addresses: [] }]] }),
      'queue-for-later: EDNS@connect',
    ],
    [
      'an address that is none',
      () => Promise.resolve({ tiers: [[{ name: 'mx.example', addresses: ['1.2'] }]] }),
      'queue-for-later: EDNS@connect',
    ],
    ['names that are none', () => Promise.resolve({ tiers: [[5, '']] }), 'queue-for-later: EDNS@connect'],
    ['a list of names', () => Promise.resolve(['mx.example']), 'queue-for-later: EDNS@connect'],
    ['a failure that is none', () => Promise.resolve({ failure: 'NXDOMAIN' }), 'queue-for-later: EDNS@connect'],
  ])('that answers %s', async (_, answer, result) => {
    const { deliver, sends } = setUp({ routes, dns: answering(answer) });
    expect(results(await deliver('x@mx.example'))).toEqual([result]);
    expect(sends()).toEqual([]);
  });

  test('that throws', async () => {
    const exchanges = () => {
      throw new Error('bug');
    };
    const { deliver } = setUp({ routes, dns: { exchanges } });
    expect(results(await deliver('x@mx.example'))).toEqual(['queue-for-later: EDNS@connect']);
  });

  test('that never answers holds a delivery up to its limit, no longer', async () => {
    let asked: AbortSignal | undefined;
    const dns: DnsLookup = {
      exchanges: (_, { signal }) => {
        asked = signal;
        return new Promise(() => undefined);
      },
    };
    const { deliver, clock } = setUp({ routes, dns, deadlineMs: 1000 });
    expect(results(await clock.runUntil(deliver('x@mx.example')))).toEqual([
      'queue-for-later: expired after EDNS@connect',
    ]);
    expect(asked?.aborted).toBe(true);
  });

  test('an abort ends the look-up, and one beforehand begins none', async () => {
    const controller = new AbortController();
    const exchanges = vi.fn(() => new Promise<MxAnswer>(() => undefined));
    const { deliver, clock } = setUp({ routes, dns: { exchanges } });
    const delivering = deliver('x@mx.example', { signal: controller.signal });
    await turns(clock);
    controller.abort();
    expect(results(await delivering)).toEqual(['queue-for-later: aborted after EDNS@connect']);
    await deliver('x@mx.example', { signal: AbortSignal.abort() });
    expect(exchanges).toHaveBeenCalledTimes(1);
  });
});
