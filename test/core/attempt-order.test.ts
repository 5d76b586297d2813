import { describe, expect, test } from 'vitest';
import { nextChoice } from '../../src/core/attempt-order.js';
import type { Tier } from '../../src/core/route-plan.js';

/** Tiers of relays, as `ab c` for a and b in the first and c in the second. */
const tiersOf = (text: string): Tier[] =>
  text.split(' ').map((ids, priority) => ({
    priority,
    relays: Array.from(ids, (id) => ({ id, host: id, port: 25, weight: 1, lookup: 'address' })),
  }));

/** The whole order of a delivery that fails everywhere. `cooled`: relay to the time it is over. */
function order(
  tiers: string,
  cooled: Readonly<Record<string, number>> = {},
  credits: Readonly<Record<string, number>> = {},
): string {
  const tried = new Set<string>();
  const standing = {
    credits: () => new Map(Object.entries(credits)),
    isCooled: (id: string) => id in cooled,
    cooledUntil: (id: string) => cooled[id] ?? 0,
  };
  for (let choice; (choice = nextChoice(tiersOf(tiers), tried, standing));) tried.add(choice.relay.id);
  return [...tried].join('');
}

describe('the order of attempts', () => {
  test('is the order of the tiers, and of turn within a tier', () => {
    expect(order('abc d ef')).toBe('abcdef');
    expect(order('abc d ef', {}, { a: -2, b: 1, c: 1 })).toBe('bcadef');
  });

  test('has the cooled ones last, soonest to recover first', () => {
    expect(order('abc d', { a: 30, b: 20 })).toBe('cdba');
    expect(order('ab cd', { b: 10, c: 5 })).toBe('adcb');
  });

  test('has a tier that is cooled as a whole behind the next', () => {
    expect(order('ab c', { a: 20, b: 10 })).toBe('cba');
  });

  test('leaves none out, even if all are cooled', () => {
    expect(order('ab c', { a: 3, b: 2, c: 1 })).toBe('cba');
    expect(order('ab c', { a: 1, b: 1, c: 1 })).toBe('abc');
    expect(order('a', { a: 9 })).toBe('a');
  });

  test('is empty only where no relay is', () => {
    expect(
      nextChoice([], new Set(), { credits: () => new Map(), isCooled: () => false, cooledUntil: () => 0 }),
    ).toBeUndefined();
  });
});

describe('the charge', () => {
  const standing = (cooled: readonly string[]) => ({
    credits: () => new Map<string, number>(),
    isCooled: (id: string) => cooled.includes(id),
    cooledUntil: () => 1,
  });
  const charge = (cooled: readonly string[], tried: readonly string[] = []) => {
    const { charge: made, tier } = nextChoice(tiersOf('abc d'), new Set(tried), standing(cooled))!;
    return [tier, made.picked.id, made.candidates.map(({ id }) => id).join('')];
  };

  test('is among the relays of the tier that are in the running', () => {
    expect(charge([])).toEqual([0, 'a', 'abc']);
    expect(charge(['b'])).toEqual([0, 'a', 'ac']);
    expect(charge([], ['a'])).toEqual([0, 'b', 'bc']);
    expect(charge(['a', 'b', 'c'])).toEqual([1, 'd', 'd']);
  });

  test('is none for a relay that is tried for want of a better', () => {
    expect(charge(['a', 'b', 'c', 'd'])).toEqual([0, 'a', 'a']);
  });
});
