import { describe, expect, test } from 'vitest';
import { defineRoutes, type Via } from 'smtp-routes';
import { allTo, attempts, RELAYS, results, setUp, turns, USER } from './set-up.js';

const U1 = 'u1@example.com';

describe('updateRoutes()', () => {
  test('holds for the deliveries to come; those under way go on with their table', async () => {
    const { deliver, deliverer, clock, transport } = setUp({
      scripts: { a: [['stall@mail', '451@data']], b: ['250'], c: ['250'] },
    });
    const before = deliver();
    await turns(clock);
    deliverer.updateRoutes(defineRoutes({ relays: { c: RELAYS['c']! }, routes: [{ match: 'ALL', tiers: [['c']] }] }));
    expect(results(await deliver(U1))).toEqual(['delivered by c']);
    transport.release();
    // Relay b is in no table any more.
    expect(attempts(await before)).toEqual(['a: 451@envelope, next-relay', 'b: accepted']);
  });

  test('those that wait for a relay that is gone get to it all the same', async () => {
    const { deliver, deliverer, clock, transport } = setUp({
      routes: allTo(['a']),
      scripts: { a: ['stall@mail', '250'] },
      limit: 1,
    });
    const both = [deliver(), deliver(U1)];
    await turns(clock);
    deliverer.updateRoutes(defineRoutes({ relays: { c: RELAYS['c']! }, routes: [{ match: 'ALL', tiers: [['c']] }] }));
    transport.release();
    expect((await Promise.all(both)).map((outcome) => results(outcome)[0])).toEqual([
      'delivered by a',
      'delivered by a',
    ]);
  });

  test('keeps whose turn it is', async () => {
    const { deliver, deliverer, sends } = setUp({ routes: allTo(['a', 'b', 'c']) });
    await deliver();
    deliverer.updateRoutes(allTo(['a', 'b', 'c']));
    await deliver();
    deliverer.updateRoutes(allTo(['a', 'b', 'c'], ['d']));
    await deliver();
    expect(sends()).toEqual(['a', 'b', 'c']);
  });

  test('keeps the health of relays that stay where they are, and forgets those that moved', async () => {
    const { deliver, deliverer } = setUp({ scripts: { a: ['refused', '250'], b: ['refused'] } });
    await deliver();
    expect(deliverer.health()).toMatchObject({ a: { state: 'down' }, b: { state: 'down' } });
    const relays: Record<string, Via> = { ...RELAYS, a: { host: '192.0.2.99', port: 25 } };
    deliverer.updateRoutes(defineRoutes({ relays, routes: [{ match: 'ALL', tiers: [['b', 'a']] }] }));
    expect(deliverer.health()).toMatchObject({ a: { state: 'unknown' }, b: { state: 'down' } });
    expect(results(await deliver(USER))).toEqual(['delivered by a']);
  });

  test('what was under way at the old place says nothing of the new one', async () => {
    const { deliver, deliverer, clock } = setUp({ scripts: { a: ['stall@mail'], b: ['250'] }, attemptTimeoutMs: 1000 });
    const before = deliver();
    await clock.advance(500);
    const relays: Record<string, Via> = { ...RELAYS, a: { host: '192.0.2.99', port: 25 } };
    deliverer.updateRoutes(defineRoutes({ relays, routes: [{ match: 'ALL', tiers: [['a', 'b']] }] }));
    expect(results(await clock.runUntil(before))).toEqual(['delivered by b']);
    expect(deliverer.health()['a']).toMatchObject({ state: 'unknown' });
  });
});
