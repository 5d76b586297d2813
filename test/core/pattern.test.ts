import { expect, test } from 'vitest';
import { canonicalPattern, patternProblem, widen } from '../../src/core/pattern.js';

test.each([
  ['Example.COM.', 'example.com'],
  ['.Example.com', '.example.com'],
  ['*.example.com', '.example.com'],
  ['.MÜNCHEN.example', '.xn--mnchen-3ya.example'],
  ['.com', '.com'],
  ['[192.0.2.1]', '[192.0.2.1]'],
  ['[ipv6:2001:DB8::0001]', '[IPv6:2001:db8::1]'],
  ['ALL', 'ALL'],
  ['all', 'ALL'],
  ['*', 'ALL'],
])('%j is the pattern %j', (text, pattern) => {
  expect(canonicalPattern(text)).toBe(pattern);
});

test.each([
  ['', 'is empty'],
  ['.', 'is empty'],
  ['*.', 'is empty'],
  ['..example.com', 'empty label'],
  ['*example.com', '"*"'],
  ['a.*.com', '"*"'],
  ['.[192.0.2.1]', 'nothing lies below'],
  ['192.0.2.1', 'write [192.0.2.1]'],
  ['example.com:25', 'no port'],
  ['@example.com', 'is an address'],
  [' example.com', 'white space'],
])('%j is none: %s', (text, problem) => {
  expect(canonicalPattern(text)).toBeUndefined();
  expect(patternProblem(text)).toContain(problem);
});

test.each([
  ['a.b.example', ['a.b.example', '.b.example', '.example', 'ALL']],
  ['localhost', ['localhost', 'ALL']],
  ['[192.0.2.1]', ['[192.0.2.1]', 'ALL']],
  ['[IPv6:::ffff:c000:201]', ['[IPv6:::ffff:c000:201]', 'ALL']],
])('what may match %s, most specific first', (domain, patterns) => {
  const found: string[] = [];
  for (let one: string | undefined = domain; one !== undefined; one = widen(one)) found.push(one);
  expect(found).toEqual(patterns);
});
