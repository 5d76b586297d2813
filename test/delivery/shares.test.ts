import { describe, expect, test } from 'vitest';
import { seededRandom } from 'smtp-routes/testing';
import { allTo, setUp, shares, turns, type Bench } from './set-up.js';

const MESSAGES = 1000;

async function sendMany({ deliver }: Bench, count = MESSAGES): Promise<string[]> {
  const by: string[] = [];
  for (let i = 0; i < count; i++) {
    const { recipients } = await deliver(`u${String(i)}@example.com`);
    const [result] = recipients;
    by.push(result?.status === 'delivered' ? result.relay : String(result?.status));
  }
  return by;
}

describe('a thousand messages, one after the other', () => {
  test('are shared equally, in turn', async () => {
    const by = await sendMany(setUp({ routes: allTo(['a', 'b', 'c', 'd']) }));
    expect(shares(by)).toEqual({ a: 250, b: 250, c: 250, d: 250 });
    expect(by.slice(0, 6)).toEqual(['a', 'b', 'c', 'd', 'a', 'b']);
  });

  test('are shared by weight, evenly interleaved', async () => {
    const tier = [{ relay: 'a', weight: 5 }, { relay: 'b', weight: 2 }, 'c'];
    const by = await sendMany(setUp({ routes: allTo(tier) }));
    expect(shares(by)).toEqual({ a: 625, b: 250, c: 125 });
    expect(by.slice(0, 16).join('')).toBe('abaacabaabaacaba');
  });

  test('a dead relay’s share goes to all of its neighbours, not to the one beside it', async () => {
    const bench = setUp({ routes: allTo(['a', 'b', 'c']), scripts: { a: 'refused' } });
    expect(shares(await sendMany(bench))).toEqual({ b: 500, c: 500 });
    // The clock stands still, so it is tried once and never again.
    expect(shares(bench.sends())).toEqual({ a: 1, b: 500, c: 500 });
  });

  test('nor does a relay that defers every message, and so takes its turn, load its neighbour alone', async () => {
    const bench = setUp({ routes: allTo(['a', 'b', 'c']), scripts: { a: '450@rcpt greylisted' } });
    const { b = 0, c = 0 } = shares(await sendMany(bench));
    expect(b + c).toBe(MESSAGES);
    expect(Math.abs(b - c)).toBeLessThanOrEqual(2);
  });

  test('one that recovers has its share again, without a burst', async () => {
    let down = true;
    const bench = setUp({ routes: allTo(['a', 'b', 'c']), scripts: { a: () => (down ? 'refused' : undefined) } });
    await sendMany(bench, 100);
    down = false;
    expect(shares(await sendMany(bench, 100))).toEqual({ b: 50, c: 50 });
    await bench.clock.advance(15_000);
    const by = await sendMany(bench, 300);
    expect(shares(by)).toEqual({ a: 100, b: 100, c: 100 });
    expect(by.join('')).not.toContain('aa');
  });

  test('processes that begin at random spread, although each sends one message', async () => {
    const random = seededRandom(7);
    const by: string[] = [];
    for (let i = 0; i < 300; i++) by.push(...(await sendMany(setUp({ routes: allTo(['a', 'b', 'c']), random }), 1)));
    for (const share of Object.values(shares(by))) expect(Math.abs(share - 100)).toBeLessThan(30);
  });

  test('each route keeps its own turn', async () => {
    const { deliver, sends } = setUp({
      routes: allTo(['a', 'b'], ['c', 'd']),
      scripts: { a: 'refused', b: 'refused' },
    });
    await deliver();
    await deliver();
    expect(sends()).toEqual(['a', 'b', 'c', 'd']);
  });
});

describe('side by side', () => {
  test('fifty deliveries spread evenly, from the first moment', async () => {
    const { deliver, transport, clock, sends } = setUp({
      routes: allTo(['a', 'b', 'c', 'd', 'e']),
      scripts: fiveOf('stall@mail'),
    });
    const all = Array.from({ length: 50 }, (_, i) => deliver(`u${String(i)}@example.com`));
    await turns(clock);
    expect(shares(sends())).toEqual({ a: 10, b: 10, c: 10, d: 10, e: 10 });
    transport.release();
    await Promise.all(all);
  });

  test('with a limit at each relay, they wait their turn and still spread evenly', async () => {
    const { deliver, transport, clock, sends } = setUp({
      routes: allTo(['a', 'b']),
      scripts: fiveOf('stall@mail'),
      limit: 3,
    });
    const all = Array.from({ length: 20 }, (_, i) => deliver(`u${String(i)}@example.com`));
    for (const under of [6, 12, 18, 20]) {
      await turns(clock);
      expect(sends()).toHaveLength(under);
      transport.release();
    }
    await Promise.all(all);
    expect(shares(sends())).toEqual({ a: 10, b: 10 });
  });
});

const fiveOf = (line: string): Record<string, string> =>
  Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((relay) => [relay, line]));
