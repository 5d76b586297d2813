import { expect, it, test } from 'vitest';
import { replyCounter } from '../../src/nodemailer/reply-limit.js';

/** Whether each chunk still fits. */
function fits(maxBytes: number, ...chunks: string[]): boolean[] {
  const counter = replyCounter(maxBytes);
  return chunks.map((chunk) => counter(Buffer.from(chunk)));
}

test.each<[string, string[], boolean]>([
  ['many short replies', Array.from({ length: 5000 }, () => '250 ok\r\n'), true],
  ['many of them at once', ['250 ok\r\n'.repeat(5000)], true],
  ['a long greeting', [`220-${'x'.repeat(80)}\r\n220 end\r\n`], true],
  ['one line without an end', ['2'.repeat(60), '2'.repeat(60)], false],
  ['a reply without a last line', ['250-a\r\n'.repeat(20)], false],
  ['the same in small pieces', Array.from({ length: 20 }, () => '250-a\r\n'), false],
])('of 100 bytes: %s', (_what, chunks, all) => {
  expect(fits(100, ...chunks).every(Boolean)).toBe(all);
});

it('a reply has no more than 1,000 lines, however short', () => {
  expect(fits(1e6, '1-\n'.repeat(999))).toEqual([true]);
  expect(fits(1e6, '1-\n'.repeat(1001))).toEqual([false]);
});

it('a complete reply clears the account', () => {
  expect(fits(30, '250-0123456789\r\n', '250 ok\r\n', '250-0123456789\r\n', '250-0123456789\r\n')).toEqual([
    true,
    true,
    true,
    false,
  ]);
});
