import { describe, expect, test } from 'vitest';
import {
  charged,
  nextInTurn,
  refunded,
  startingCredits,
  type Credits,
  type Weighted,
} from '../../src/core/rotation.js';

const relay = (id: string, weight = 1): Weighted => ({ id, weight });
const EQUAL = [relay('a'), relay('b'), relay('c')];
const NONE: Credits = new Map();

/** Picks so many times, as deliveries would that each attempt the first relay only. */
function picks(relays: readonly Weighted[], count: number, credits = NONE): { order: string; credits: Credits } {
  let order = '';
  for (let i = 0; i < count; i++) {
    const picked = nextInTurn(credits, relays)!;
    credits = charged(credits, { candidates: relays, picked });
    order += picked.id;
  }
  return { order, credits };
}

describe('whose turn it is', () => {
  test('equal relays take turns in definition order', () => {
    expect(picks(EQUAL, 9).order).toBe('abcabcabc');
  });

  test('weights 3:1', () => {
    expect(picks([relay('a', 3), relay('b')], 12).order).toBe('aabaaabaaaba');
  });

  test('weights 5:2:1 are evenly interleaved', () => {
    expect(picks([relay('a', 5), relay('b', 2), relay('c')], 16).order).toBe('abaacabaabaacaba');
  });

  test('a relay alone is always it', () => {
    expect(picks([relay('a', 7)], 3)).toEqual({ order: 'aaa', credits: NONE });
  });

  test('there is none among none', () => {
    expect(nextInTurn<Weighted>(NONE, [])).toBeUndefined();
  });

  test('after a whole round the credits are what they were, and they add up to nothing at any time', () => {
    const weights = [relay('a', 5), relay('b', 2), relay('c')];
    for (let i = 0; i <= 8; i++) {
      const sum = [...picks(weights, i).credits.values()].reduce((total, credit) => total + credit, 0);
      expect(sum).toBe(0);
    }
    expect(Object.fromEntries(picks(weights, 8).credits)).toEqual({ a: 0, b: 0, c: 0 });
  });
});

describe('a relay that is out of the running', () => {
  test('leaves its neighbours fair shares', () => {
    const { credits } = picks(EQUAL, 1);
    expect(picks([relay('b'), relay('c')], 6, credits).order).toBe('bcbcbc');
  });

  test('saves up no burst', () => {
    const { credits } = picks([relay('b'), relay('c')], 101, picks(EQUAL, 1).credits);
    expect(picks(EQUAL, 9, credits).order).toBe('cbcabcabc');
  });

  test('which steps in for another has paid when its own turn comes', () => {
    // Each delivery tries a first when it is its turn; a defers, and the next in turn steps in.
    let credits = NONE;
    let order = '';
    for (let i = 0; i < 6; i++) {
      let candidates: readonly Weighted[] = EQUAL;
      let picked = nextInTurn(credits, candidates)!;
      credits = charged(credits, { candidates, picked });
      if (picked.id === 'a') {
        candidates = EQUAL.slice(1);
        picked = nextInTurn(credits, candidates)!;
        credits = charged(credits, { candidates, picked });
        order += `(a)`;
      }
      order += picked.id;
    }
    expect(order).toBe('(a)bcbc(a)bc');
  });
});

describe('a pick that is taken back', () => {
  test('counts as if it had not been made', () => {
    const before = picks(EQUAL, 4).credits;
    const charge = { candidates: EQUAL, picked: nextInTurn(before, EQUAL)! };
    const after = refunded(charged(before, charge), charge);
    expect(Object.fromEntries(after)).toEqual(Object.fromEntries(before));
  });

  test('out of order too', () => {
    const first = { candidates: EQUAL, picked: EQUAL[0]! };
    const second = { candidates: EQUAL, picked: EQUAL[1]! };
    const credits = refunded(charged(charged(NONE, first), second), first);
    expect(Object.fromEntries(credits)).toEqual(Object.fromEntries(charged(NONE, second)));
    expect(nextInTurn(credits, EQUAL)?.id).toBe('a');
  });
});

describe('the start', () => {
  test.each([
    [0, 'abcabc'],
    [0.33, 'abcabc'],
    [0.34, 'bcabca'],
    [0.67, 'cabcab'],
    [0.999, 'cabcab'],
    [1, 'abcabc'],
    [NaN, 'abcabc'],
  ])('with dice at %s', (dice, order) => {
    expect(picks(EQUAL, 6, startingCredits(EQUAL, dice)).order).toBe(order);
  });

  test('with weights is as likely at each turn of the round', () => {
    const weighted = [relay('a', 3), relay('b')];
    const starts = [0, 0.25, 0.5, 0.75].map((dice) => picks(weighted, 4, startingCredits(weighted, dice)).order);
    expect(starts).toEqual(['aaba', 'abaa', 'baaa', 'aaab']);
  });
});
