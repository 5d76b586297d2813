import { describe, expect, test } from 'vitest';
import type { ClassifyHook, Failure, FailurePlace, Verdict } from 'smtp-routes';
import { allTo, attempts, results, setUp, USER } from './set-up.js';

const NEXT: Verdict = { action: 'next-relay', cool: false };

describe('the classify hook', () => {
  test('may send to the next relay what the table would reject', async () => {
    const classify: ClassifyHook = (failure, verdict, { relay }) =>
      relay === 'a' && failure.kind === 'reply' && failure.reply.enhanced === '5.7.1' ? NEXT : verdict;
    const { deliver } = setUp({ scripts: { a: ['550@rcpt 5.7.1 sender not verified here'], b: ['250'] }, classify });
    expect(results(await deliver())).toEqual(['delivered by b']);
  });

  test('may reject, stop, and cool', async () => {
    const verdicts: Record<string, Verdict> = {
      a: { action: 'next-relay', cool: true },
      b: { action: 'reject', cool: false },
    };
    const { deliver, deliverer } = setUp({
      scripts: { a: ['450@rcpt no'], b: ['450@rcpt no'] },
      classify: (_, __, { relay }) => verdicts[relay]!,
    });
    const outcome = await deliver();
    expect(attempts(outcome)).toEqual(['a: 450@envelope, next-relay and cool', 'b: 450@envelope, reject']);
    expect(results(outcome)).toEqual(['rejected: 450@envelope']);
    expect(deliverer.health()).toMatchObject({ a: { state: 'down' }, b: { state: 'unknown' } });
  });

  test('may let a lost final reply go on to the next relay, for one recipient and not for another', async () => {
    const classify: ClassifyHook = (_, verdict, { recipient }) => (recipient === 'u1@example.com' ? NEXT : verdict);
    const { deliver } = setUp({ scripts: { a: ['close@final-reply'], b: ['250'] }, classify });
    expect(results(await deliver(['u1@example.com', 'u2@example.com']))).toEqual([
      'delivered by b',
      'possibly-delivered: ECONNECTION@final-reply',
    ]);
  });

  test('hears of a failure before the envelope once and without a recipient, of others with each', async () => {
    const heard: [string, Verdict, FailurePlace][] = [];
    const classify: ClassifyHook = (failure, verdict, at) => {
      heard.push([failure.kind === 'reply' ? String(failure.reply.code) : failure.kind, verdict, at]);
      return verdict;
    };
    const { deliver } = setUp({
      routes: allTo(['a'], ['b'], ['c']),
      scripts: { a: ['421@greeting busy'], b: ['450@mail later'] },
      classify,
    });
    await deliver(['u1@example.com', 'u2@example.com']);
    expect(heard).toEqual([
      ['421', { action: 'next-relay', cool: true }, { relay: 'a' }],
      ['450', NEXT, { relay: 'b', recipient: 'u1@example.com' }],
      ['450', NEXT, { relay: 'b', recipient: 'u2@example.com' }],
    ]);
  });

  test.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('bug');
      },
    ],
    [
      'throws what cannot be read',
      () => {
        throw Object.create(null) as Error;
      },
    ],
    ['answers nothing', () => undefined],
    ['answers a word', () => 'reject'],
    ['answers an unknown action', () => ({ action: 'retry', cool: true })],
    ['answers half a verdict', () => ({ action: 'reject' })],
    ['answers a promise', () => Promise.resolve({ action: 'reject', cool: false })],
    ['answers a promise that rejects', () => Promise.reject(new Error('bug'))],
  ])('that %s is ignored', async (_, hook) => {
    const { deliver } = setUp({ scripts: { a: ['450@rcpt later'], b: ['250'] }, classify: hook as ClassifyHook });
    const outcome = await deliver();
    expect(attempts(outcome)).toEqual(['a: 450@envelope, next-relay', 'b: accepted']);
  });

  test('its verdict is copied: what else it answers reaches no outcome', async () => {
    const verdict = Object.assign({ action: 'reject', cool: false } as const, { self: {} });
    verdict.self = verdict;
    const { deliver } = setUp({ scripts: { a: ['450@rcpt later'] }, classify: () => verdict });
    expect((await deliver()).attempts[0]?.verdict).toEqual({ action: 'reject', cool: false });
  });

  test('a refusal that it cools the relay for is not shared with the mail of others', async () => {
    const classify = (failure: Failure, verdict: Verdict): Verdict => ({ ...verdict, cool: failure.kind === 'reply' });
    const { deliver, transport, clock } = setUp({
      routes: allTo(['a']),
      scripts: { a: ['refused', ['stall@mail', '550@rcpt no such user'], '250'] },
      classify,
    });
    await deliver();
    const both = [deliver('nobody@example.com'), deliver(USER)];
    await clock.advance(0);
    transport.release();
    expect((await Promise.all(both)).map((outcome) => results(outcome)[0])).toEqual([
      'rejected: 550@envelope',
      'delivered by a',
    ]);
  });
});
