import { describe, expect, test } from 'vitest';
import {
  classify,
  isClosingCode,
  isRefusalCode,
  isSuccessCode,
  isTooManyRecipients,
  VERDICTS,
  type Verdict,
} from '../../src/core/classify.js';
import type { Failure, Phase } from '../../src/core/failure.js';

const NEXT: Verdict = { action: 'next-relay', cool: false };
const COOL: Verdict = { action: 'next-relay', cool: true };
const REJECT: Verdict = { action: 'reject', cool: false };
const UNSURE: Verdict = { action: 'stop', cool: true };

const reply = (phase: Phase, code: number, enhanced?: string): Failure => ({
  kind: 'reply',
  phase,
  reply: { code, text: 'x', ...(enhanced !== undefined && { enhanced }) },
});
const lost = (phase: Phase): Failure => ({ kind: 'lost', phase, code: 'ECONNRESET', message: 'x' });

/** DESIGN section 5, with what PRECISIONS says of 530, 534, 535, 538, and of replies to the dot that are no refusal. */
const TABLE: readonly [number | 'lost', Verdict, Verdict, Verdict, Verdict, Verdict][] = [
  // connect, session, envelope, data, final-reply
  [421, COOL, COOL, COOL, COOL, COOL],
  [400, COOL, COOL, NEXT, NEXT, NEXT],
  [431, COOL, COOL, NEXT, NEXT, NEXT],
  [450, COOL, COOL, NEXT, NEXT, NEXT],
  [451, COOL, COOL, NEXT, NEXT, NEXT],
  [452, COOL, COOL, NEXT, NEXT, NEXT],
  [454, COOL, COOL, NEXT, NEXT, NEXT],
  [499, COOL, COOL, NEXT, NEXT, NEXT],
  [500, COOL, COOL, REJECT, REJECT, REJECT],
  [550, COOL, COOL, REJECT, REJECT, REJECT],
  [552, COOL, COOL, REJECT, REJECT, REJECT],
  [554, COOL, COOL, REJECT, REJECT, REJECT],
  [599, COOL, COOL, REJECT, REJECT, REJECT],
  [503, COOL, COOL, COOL, COOL, COOL],
  [530, COOL, COOL, COOL, COOL, COOL],
  [534, COOL, COOL, COOL, COOL, COOL],
  [535, COOL, COOL, COOL, COOL, COOL],
  [538, COOL, COOL, COOL, COOL, COOL],
  [220, COOL, COOL, COOL, COOL, UNSURE],
  [250, COOL, COOL, COOL, COOL, UNSURE],
  [334, COOL, COOL, COOL, COOL, UNSURE],
  [354, COOL, COOL, COOL, COOL, UNSURE],
  [0, COOL, COOL, COOL, COOL, UNSURE],
  [600, COOL, COOL, COOL, COOL, UNSURE],
  [NaN, COOL, COOL, COOL, COOL, UNSURE],
  ['lost', COOL, COOL, COOL, COOL, UNSURE],
];

describe('the verdict', () => {
  test.each(TABLE)('on %s, phase by phase', (result, ...verdicts) => {
    const phases: Phase[] = ['connect', 'session', 'envelope', 'data', 'final-reply'];
    const failure = (phase: Phase): Failure => (result === 'lost' ? lost(phase) : reply(phase, result));
    expect(phases.map((phase) => classify(failure(phase)))).toEqual(verdicts);
  });

  test.each<[Failure, Verdict]>([
    [{ kind: 'unsupported', need: 'SMTPUTF8', message: 'x' }, NEXT],
    [{ kind: 'unsupported', need: 'SIZE', message: 'x' }, NEXT],
    [{ kind: 'unsupported', need: 'REQUIRETLS', message: 'x' }, NEXT],
    [{ kind: 'unroutable', message: 'x' }, REJECT],
    [
      { kind: 'aborted', message: 'x' },
      { action: 'stop', cool: false },
    ],
    [
      { kind: 'expired', message: 'x' },
      { action: 'stop', cool: false },
    ],
  ])('on %j', (failure, verdict) => {
    expect(classify(failure)).toEqual(verdict);
  });

  test('does not depend on the enhanced code', () => {
    expect(classify(reply('envelope', 550, '5.7.1'))).toEqual(REJECT);
    expect(classify(reply('envelope', 450, '4.7.1'))).toEqual(NEXT);
  });

  test('is data that nobody can change', () => {
    expect(Object.isFrozen(VERDICTS)).toBe(true);
    for (const row of Object.values(VERDICTS)) {
      expect(Object.isFrozen(row)).toBe(true);
      for (const verdict of Object.values(row)) expect(Object.isFrozen(verdict)).toBe(true);
    }
  });
});

describe('too many recipients', () => {
  test.each<[Failure, boolean]>([
    [reply('envelope', 452), true],
    [reply('envelope', 552), true],
    [reply('envelope', 452, '4.5.3'), true],
    [reply('envelope', 552, '5.5.3'), true],
    [reply('envelope', 452, '4.2.2'), false],
    [reply('envelope', 552, '5.2.2'), false],
    [reply('envelope', 452, '4.3.1'), false],
    [reply('envelope', 450, '4.5.3'), false],
    [reply('envelope', 550), false],
    [reply('final-reply', 452, '4.5.3'), false],
    [reply('data', 552), false],
    [lost('envelope'), false],
  ])('%j: %s', (failure, expected) => {
    expect(isTooManyRecipients(failure)).toBe(expected);
  });
});

test('what codes are', () => {
  expect([199, 200, 250, 299, 300].map(isSuccessCode)).toEqual([false, true, true, true, false]);
  expect([399, 400, 421, 599, 600].map(isRefusalCode)).toEqual([false, true, true, true, false]);
  expect([420, 421, 422].map(isClosingCode)).toEqual([false, true, false]);
});
