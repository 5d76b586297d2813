import { describe, expect, test } from 'vitest';
import { onOneLine, parseReply, printable } from '../../src/core/reply.js';

describe('a reply', () => {
  test.each([
    ['250 ok', { code: 250, text: 'ok' }],
    ['250', { code: 250, text: '' }],
    ['250 ', { code: 250, text: '' }],
    ['250 2.0.0 queued as 7', { code: 250, enhanced: '2.0.0', text: 'queued as 7' }],
    ['250 2.0.0', { code: 250, enhanced: '2.0.0', text: '' }],
    ['550 5.1.1 no such user\r\n', { code: 550, enhanced: '5.1.1', text: 'no such user' }],
    ['450 4.12.345 later', { code: 450, enhanced: '4.12.345', text: 'later' }],
    ['431-mail ESMTP\r\n431 Mail system full\r\n', { code: 431, text: 'mail ESMTP\nMail system full' }],
    [
      '550-5.7.1 first\r\n550-5.7.1 second\r\n550 5.7.1 third',
      { code: 550, enhanced: '5.7.1', text: 'first\nsecond\nthird' },
    ],
    ['550-5.7.1 first\n550 second', { code: 550, enhanced: '5.7.1', text: 'first\nsecond' }],
    ['250-\r\n250 \r\n', { code: 250, text: '\n' }],
    ['250-a\r\n\r\n250 b', { code: 250, text: 'a\nb' }],
    // An enhanced code of another class is not one (RFC 2034 4), and stays in the text.
    ['550 4.2.1 contradiction', { code: 550, text: '4.2.1 contradiction' }],
    ['250 5.0.0 contradiction', { code: 250, text: '5.0.0 contradiction' }],
    ['354 3.0.0 no such class', { code: 354, text: '3.0.0 no such class' }],
    ['550 5.1 too short', { code: 550, text: '5.1 too short' }],
    ['550 5.1.1234 too long', { code: 550, text: '5.1.1234 too long' }],
    ['550 5.1.1x glued', { code: 550, text: '5.1.1x glued' }],
    ['354 go on', { code: 354, text: 'go on' }],
  ])('%j', (raw, reply) => {
    expect(parseReply(raw)).toEqual(reply);
  });

  test.each([
    '',
    '\r\n',
    'ok',
    '25',
    '25 ok',
    '2500 ok',
    '150 preliminary',
    '650 no class',
    '250ok',
    ' 250 ok',
    'HTTP/1.1 400 Bad Request',
    '\u0000\u00ff\u0001',
    '-250 ok',
  ])('is not %j', (raw) => {
    expect(parseReply(raw)).toBeUndefined();
  });

  test('cannot break a line, a header or a terminal', () => {
    expect(parseReply('550 a\rb\u0000c\u001b[31md\u0085e\u2028f\tg\u007fh\r\n')).toEqual({
      code: 550,
      text: 'a?b?c?[31md?e?f?g?h',
    });
  });

  test('of any length is kept to 2,000 characters', () => {
    expect(parseReply(`550 ${'x'.repeat(1_000_000)}`)?.text).toBe(`${'x'.repeat(2000)}…`);
    expect(parseReply(Array(10_000).fill('550-x').join('\r\n'))?.text).toHaveLength(2001);
  });
});

test('printable text keeps line feeds and letters of any script', () => {
  expect(printable('grüße\n日本語 <>"\'\\')).toBe('grüße\n日本語 <>"\'\\');
});

test('on one line a line feed is a backslash and an n', () => {
  expect(onOneLine('a\nb\r\nc')).toBe('a\\nb?\\nc');
});
