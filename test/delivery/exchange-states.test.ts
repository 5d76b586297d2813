/**
 * What a deliverer remembers of exchanges, which strangers name without end.
 */
import { expect, test } from 'vitest';
import { Deliverer, defineRoutes } from 'smtp-routes';
import type { DnsLookup, RelayTransport } from 'smtp-routes';
import { ManualClock } from 'smtp-routes/testing';
import { attempts, results, setUp } from './set-up.js';

const routes = defineRoutes({ relays: {}, routes: [] });

/** Each domain has one exchange of its own name, at an address of its own. */
const dns: DnsLookup = {
  exchanges: (domain) => {
    const n = Number(domain.replace(/\D/g, ''));
    return { tiers: [[{ name: domain, addresses: [`9.9.${String(n >> 8)}.${String(n & 255)}`] }]] };
  },
};

const accepting: RelayTransport = {
  send: ({ envelope }) =>
    Promise.resolve(envelope.to.map((recipient) => ({ recipient, reply: { code: 250, text: 'ok' } }))),
};

test('is bounded, and what is down stays until its time is over', { timeout: 30_000 }, async () => {
  const down: RelayTransport = {
    send: (request) => {
      if (request.relay.id !== 'd0.test') return accepting.send(request);
      const failure = { kind: 'lost', phase: 'connect', code: 'ECONNREFUSED', message: '' } as const;
      return Promise.resolve(request.envelope.to.map((recipient) => ({ recipient, failure })));
    },
  };
  const clock = new ManualClock();
  const deliverer = new Deliverer({ routes, dns, transport: down, clock });
  const deliverTo = async (from: number, to: number): Promise<void> => {
    for (let i = from; i < to; i++) {
      await deliverer.deliver({ envelope: { from: '', to: [`u@d${String(i)}.test`] }, message: 'x' });
    }
  };
  await deliverTo(0, 11_000);
  const remembered = deliverer.health();
  expect(Object.keys(remembered).length).toBeLessThanOrEqual(10_000);
  expect(remembered['d0.test[9.9.0.0]']).toMatchObject({ state: 'down' });
  await clock.advance(600_000);
  await deliverTo(11_000, 33_000);
  expect(Object.keys(deliverer.health()).length).toBeLessThanOrEqual(10_000);
  expect(deliverer.health()).not.toHaveProperty('d0.test[9.9.0.0]');
});

test('the same address of the same exchange is the same relay, so that its connections are used again', async () => {
  const relays = new Set<object>();
  const { deliver } = setUp({
    routes,
    // A new answer each time, as after its TTL.
    dns: { exchanges: () => ({ tiers: [[{ name: 'mx.test', addresses: ['9.9.9.9'] }]] }) },
    transport: {
      send: (request) => {
        relays.add(request.relay);
        return accepting.send(request);
      },
    },
  });
  await deliver('u@a.test');
  await deliver('u@b.test');
  expect(relays.size).toBe(1);
});

test('an address that is down is passed over, the next of the same exchange is not', async () => {
  const exchange = { name: 'mx.test', addresses: ['9.9.9.1', '9.9.9.2'] };
  const { deliver, events } = setUp({
    routes,
    dns: { exchanges: () => ({ tiers: [[exchange]] }) },
    scripts: { 'mx.test': ['refused', '250', '250'] },
  });
  const first = await deliver('u@x.test');
  expect(results(first)).toEqual(['delivered by mx.test']);
  expect(first.attempts.map(({ address }) => address)).toEqual(['9.9.9.1', '9.9.9.2']);
  const second = await deliver('u@x.test');
  expect(attempts(second)).toEqual(['mx.test: accepted']);
  expect(second.attempts[0]?.address).toBe('9.9.9.2');
  expect(events.ofType('relay-cooled')).toMatchObject([{ relay: 'mx.test', address: '9.9.9.1' }]);
});

test('all addresses down: the soonest to recover first, each once', async () => {
  const exchange = { name: 'mx.test', addresses: ['9.9.9.1', '9.9.9.2'] };
  const { deliver } = setUp({
    routes,
    dns: { exchanges: () => ({ tiers: [[exchange]] }) },
    scripts: { 'mx.test': ['refused', 'refused', 'refused', 'refused'] },
  });
  await deliver('u@x.test');
  const again = await deliver('u@x.test');
  expect(again.attempts.map(({ address }) => address)).toEqual(['9.9.9.1', '9.9.9.2']);
});
