import { expect, test } from 'vitest';
import type { DsnParameters } from 'smtp-routes';
import { mayBounce } from '../../../src/queue/bounces/may-bounce.js';

test.for<[from: string, notify: string | string[] | undefined, failed: boolean, delayed: boolean]>([
  ['app@sender.test', undefined, true, true],
  ['app@sender.test', [], true, true],
  ['app@sender.test', 'NEVER', false, false],
  ['app@sender.test', ['never'], false, false],
  ['app@sender.test', 'SUCCESS', false, false],
  ['app@sender.test', 'FAILURE', true, false],
  ['app@sender.test', 'failure, delay', true, true],
  ['app@sender.test', ['DELAY'], false, true],
  ['', undefined, false, false],
  ['', 'FAILURE,DELAY', false, false],
])('from <%s>, NOTIFY=%s: failure %s, delay %s', ([from, notify, failed, delayed]) => {
  const envelope = notify === undefined ? { from } : { from, dsn: { notify } };
  expect([mayBounce(envelope, 'failed'), mayBounce(envelope, 'delayed')]).toEqual([failed, delayed]);
});

test.for<unknown>([5, true, {}, null])('NOTIFY=%s says nothing, and nothing breaks', (notify) => {
  const dsn = { notify } as unknown as DsnParameters;
  expect(mayBounce({ from: 'app@sender.test', dsn }, 'failed')).toBe(true);
});

test('of NOTIFY=[5, "NEVER"], the word counts', () => {
  const dsn = { notify: [5, 'NEVER'] } as unknown as DsnParameters;
  expect(mayBounce({ from: 'app@sender.test', dsn }, 'failed')).toBe(false);
});
