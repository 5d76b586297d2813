import { describe, expect, test } from 'vitest';
import { defineRoutes, type DeliveryOutcome } from 'smtp-routes';
import { allTo, attempts, RELAYS, results, setUp, shares, turns, USER, type Bench } from './set-up.js';

const many = ({ deliver }: Bench, count: number): Promise<DeliveryOutcome>[] =>
  Array.from({ length: count }, (_, i) => deliver(`u${String(i)}@example.com`));

describe('a dead relay under a burst', () => {
  test('sees as many attempts as it has connections; the others turn to the next relay at once', async () => {
    const bench = setUp({
      routes: allTo(['a', 'b']),
      scripts: { a: 'stall@connect' },
      limit: 5,
      attemptTimeoutMs: 1000,
    });
    const all = many(bench, 200);
    const start = bench.clock.now();
    await bench.clock.advance(999);
    // Half of them had their turn at the dead relay: five are there, and the rest wait.
    expect(shares(bench.sends())).toEqual({ a: 5, b: 100 });
    await bench.clock.advance(1);
    const outcomes = await Promise.all(all);
    expect(bench.clock.now()).toBe(start + 1000);
    expect(outcomes.flatMap(results)).toEqual(Array(200).fill('delivered by b'));
    expect(shares(bench.sends())).toEqual({ a: 5, b: 200 });
  });

  test('failing one after the other counts as one outage', async () => {
    const bench = setUp({
      scripts: { a: 'stall@connect' },
      routes: allTo(['a'], ['b']),
      limit: 3,
      attemptTimeoutMs: 20_000,
    });
    const all: Promise<DeliveryOutcome>[] = [];
    for (let i = 0; i < 3; i++) {
      all.push(bench.deliver(`u${String(i)}@example.com`));
      await bench.clock.advance(9000);
    }
    // The last began 18 s after the first, and fails 3 s after the cooling of 15 s is over.
    const down = bench.deliverer.health()['a'];
    await bench.clock.runUntil(Promise.all(all));
    expect(bench.deliverer.health()['a']).toEqual(down);
    expect(down).toMatchObject({ state: 'down', since: down!.until! - 15_000 });
    expect(bench.events.ofType('relay-cooled')).toHaveLength(1);
  });

  test('with nothing else left, the others share the result of the one that tries', async () => {
    const bench = setUp({ routes: allTo(['a']), scripts: { a: 'stall@connect' }, limit: 5, attemptTimeoutMs: 1000 });
    const all = many(bench, 200);
    const outcomes = await bench.clock.runUntil(Promise.all(all));
    expect(shares(bench.sends())).toEqual({ a: 6 });
    for (const outcome of outcomes) {
      expect(results(outcome)).toEqual(['queue-for-later: ETIMEDOUT@connect']);
      expect(outcome.attempts).toHaveLength(1);
    }
    expect(outcomes.filter((outcome) => outcome.attempts[0]?.shared)).toHaveLength(194);
    expect(attempts(outcomes[199]!)).toEqual(['a (shared): ETIMEDOUT@connect, next-relay and cool']);
    expect(bench.events.ofType('attempt-started')).toHaveLength(6);
  });

  test('two dead relays: each is tried about as often as it has connections, each recipient at both', async () => {
    const bench = setUp({
      routes: allTo(['a', 'b']),
      scripts: { a: 'stall@connect', b: 'stall@connect' },
      limit: 5,
      attemptTimeoutMs: 1000,
    });
    const outcomes = await bench.clock.runUntil(Promise.all(many(bench, 100)));
    const { a = 0, b = 0 } = shares(bench.sends());
    expect(Math.max(a, b)).toBeLessThanOrEqual(7);
    for (const outcome of outcomes) {
      expect(results(outcome)).toEqual(['queue-for-later: ETIMEDOUT@connect']);
      expect(outcome.attempts.map(({ relay }) => relay).sort()).toEqual(['a', 'b']);
    }
  });

  test('one that refuses at once too', async () => {
    const bench = setUp({ routes: allTo(['a', 'b']), scripts: { a: 'refused' }, limit: 5 });
    const outcomes = await Promise.all(many(bench, 200));
    expect(outcomes.flatMap(results)).toEqual(Array(200).fill('delivered by b'));
    expect(shares(bench.sends())['a']).toBe(5);
  });

  test('a relay that only defers is not dead: all are delivered at once by the second', async () => {
    const bench = setUp({ routes: allTo(['a'], ['b']), scripts: { a: '450@rcpt busy' }, limit: 5 });
    const outcomes = await Promise.all(many(bench, 100));
    expect(outcomes.flatMap(results)).toEqual(Array(100).fill('delivered by b'));
    expect(shares(bench.sends())).toEqual({ a: 100, b: 100 });
  });
});

describe('a relay that is down and may be back', () => {
  test('is probed by one delivery, while the others go elsewhere', async () => {
    const bench = setUp({ routes: allTo(['a'], ['b']), scripts: { a: ['refused', 'stall@mail', '250'] } });
    const { deliver, clock, transport, sends } = bench;
    await deliver();
    expect(results(await deliver())).toEqual(['delivered by b']);
    await clock.advance(15_000);
    const probe = deliver();
    const others = many(bench, 20);
    await turns(clock);
    expect(shares(sends())).toEqual({ a: 2, b: 22 });
    transport.release();
    expect(results(await probe)).toEqual(['delivered by a']);
    await Promise.all(others);
    expect(results(await deliver())).toEqual(['delivered by a']);
  });

  test('a probe that fails cools it for twice as long, up to the cap', async () => {
    const { deliver, clock, deliverer } = setUp({
      routes: allTo(['a'], ['b']),
      scripts: { a: 'refused' },
      cooling: { initialMs: 1000, maxMs: 5000 },
    });
    const waits: number[] = [];
    for (let i = 0; i < 6; i++) {
      await deliver();
      const { until = 0 } = deliverer.health()['a']!;
      waits.push(until - clock.now());
      await clock.advance(until - clock.now());
    }
    expect(waits).toEqual([1000, 2000, 4000, 5000, 5000, 5000]);
  });

  test('a probe that gives no news leaves it down, and the next one probes', async () => {
    const { deliver, clock, deliverer, sends } = setUp({
      routes: allTo(['a'], ['b']),
      scripts: { a: ['refused', '450@rcpt', '250'] },
    });
    await deliver();
    await clock.advance(15_000);
    expect(results(await deliver())).toEqual(['delivered by b']);
    expect(deliverer.health()['a']).toMatchObject({ state: 'down' });
    expect(results(await deliver())).toEqual(['delivered by a']);
    expect(sends()).toEqual(['a', 'b', 'a', 'b', 'a']);
  });

  test('one that flaps is cooled for longer each time, and for less after successes', async () => {
    const { deliver, clock, deliverer } = setUp({
      routes: allTo(['a'], ['b']),
      scripts: { a: ['refused', 'refused', '250', 'refused', '250', '250', '250', 'refused'] },
    });
    const waits: number[] = [];
    const fails = async (): Promise<void> => {
      await deliver();
      const { until = 0 } = deliverer.health()['a']!;
      waits.push(until - clock.now());
      await clock.advance(until - clock.now());
    };
    await fails();
    await fails();
    await deliver();
    await fails();
    for (let i = 0; i < 3; i++) await deliver();
    await fails();
    expect(waits).toEqual([15_000, 30_000, 30_000, 15_000]);
  });

  test('those that wait for a probe are let in when it succeeds, as many as there is room for', async () => {
    const bench = setUp({ routes: allTo(['a']), scripts: { a: (at) => bench_script(at.connection) }, limit: 3 });
    const { deliver, clock, transport, sends } = bench;
    await deliver();
    const all = many(bench, 10);
    await turns(clock);
    expect(sends()).toHaveLength(2);
    transport.release();
    await turns(clock);
    expect([sends().length, transport.busy()]).toEqual([5, 3]);
    for (let i = 0; i < 4; i++) {
      transport.release();
      await turns(clock);
    }
    expect((await Promise.all(all)).flatMap(results)).toEqual(Array(10).fill('delivered by a'));
  });

  /** Refused at first; afterwards every send waits at MAIL. */
  const bench_script = (connection: number): string => (connection === 1 ? 'refused' : 'stall@mail');

  test('an abort of the one that probes lets the next in line probe', async () => {
    const bench = setUp({ routes: allTo(['a']), scripts: { a: ['refused', 'stall@mail', '250', '250'] } });
    const { deliver, clock } = bench;
    await deliver();
    const controller = new AbortController();
    const probe = deliver(USER, { signal: controller.signal });
    const waiting = many(bench, 2);
    await turns(clock);
    controller.abort();
    expect(results(await probe)).toEqual(['queue-for-later: aborted']);
    expect((await Promise.all(waiting)).flatMap(results)).toEqual(['delivered by a', 'delivered by a']);
  });
});

describe('a tier', () => {
  test('that is cooled as a whole goes behind the next, and comes back by itself', async () => {
    let down = true;
    const primary = () => (down ? '421@greeting full' : undefined);
    const { deliver, clock, deliverer } = setUp({
      routes: allTo(['a', 'b'], ['c']),
      scripts: { a: primary, b: primary },
    });
    expect(attempts(await deliver())).toEqual([
      'a: 421@connect, next-relay and cool',
      'b: 421@connect, next-relay and cool',
      'c: accepted',
    ]);
    expect(attempts(await deliver())).toEqual(['c: accepted']);
    down = false;
    await clock.advance(15_000);
    expect(attempts(await deliver())).toEqual(['b: accepted']);
    expect(attempts(await deliver())).toEqual(['a: accepted']);
    expect(deliverer.health()).toMatchObject({ a: { state: 'up' }, b: { state: 'up' }, c: { state: 'up' } });
  });

  test('of cooled relays is still tried when there is nothing else, soonest to recover first', async () => {
    const routes = defineRoutes({
      relays: RELAYS,
      routes: [
        { match: 'only-b.example', tiers: [['b']] },
        { match: 'ALL', tiers: [['a'], ['b']] },
      ],
    });
    const { deliver, clock, sends } = setUp({
      routes,
      scripts: { a: ['refused', '250'], b: ['refused', '451@data', '451@data'] },
    });
    await deliver('x@only-b.example');
    await clock.advance(5000);
    await deliver();
    await deliver();
    expect(sends()).toEqual(['b', 'a', 'b', 'b', 'a']);
  });
});
