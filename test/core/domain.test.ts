import { describe, expect, test } from 'vitest';
import { canonicalDomain } from '../../src/core/domain.js';
import { domainProblem } from '../../src/core/domain-problem.js';

const label63 = 'a'.repeat(63);
const name253 = `${`${label63}.`.repeat(3)}${'a'.repeat(61)}`;

describe('a domain has one spelling', () => {
  test.each([
    ['example.com', 'example.com'],
    ['EXAMPLE.Com', 'example.com'],
    ['example.com.', 'example.com'],
    ['localhost', 'localhost'],
    ['_dmarc.example.com', '_dmarc.example.com'],
    ['-a-.b--c.example', '-a-.b--c.example'],
    ['1.2', '1.2'],
    ['123', '123'],
    ['0x7f.1', '0x7f.1'],
    [name253, name253],
    [`${name253}.`, name253],
    ['MÜNCHEN.example.', 'xn--mnchen-3ya.example'],
    ['XN--mnchen-3YA.example', 'xn--mnchen-3ya.example'],
    ['mu\u0308nchen.example', 'xn--mnchen-3ya.example'],
    ['straße.example', 'xn--strae-oqa.example'],
    ['例え。テスト', 'xn--r8jz45g.xn--zckzah'],
    ['１.２', '1.2'],
    ['ü.１２３', 'xn--tda.123'],
    ['\u212a.example', 'k.example'],
  ])('%j is %j', (text, domain) => {
    expect(canonicalDomain(text)).toBe(domain);
  });
});

describe('an address literal has one spelling', () => {
  test.each([
    ['[192.0.2.1]', '[192.0.2.1]'],
    ['[IPv6:2001:db8::1]', '[IPv6:2001:db8::1]'],
    ['[ipv6:2001:0DB8:0:0:0:0:0:1]', '[IPv6:2001:db8::1]'],
    ['[IPv6:::ffff:192.0.2.1]', '[IPv6:::ffff:c000:201]'],
  ])('%j is %j', (text, domain) => {
    expect(canonicalDomain(text)).toBe(domain);
  });
});

describe('what is no domain is not made one', () => {
  test.each([
    ['', 'is empty'],
    [' example.com', 'white space'],
    ['example.com ', 'white space'],
    ['exam\tple.com', 'white space'],
    ['example.com\n', 'white space'],
    ['example.com\r\n', 'white space'],
    ['example.com\0', 'control character'],
    ['exa\u0085mple.com', 'control character'],
    ['example\u00a0.com', 'white space'],
    ['a/b.com', '"/"'],
    ['http://example.com', '"/"'],
    ['example.com:25', 'no port'],
    ['user@example.com', 'is an address where a domain belongs'],
    ['ex%41mple.com', 'a character that no domain name has'],
    ['*.example.com', 'a character that no domain name has'],
    ['.example.com', 'empty label'],
    ['example..com', 'empty label'],
    ['example.com..', 'empty label'],
    ['.', 'empty label'],
    [`${label63}a.com`, '63 octets'],
    [`a${name253}`, '63 octets'],
    [`a.${name253}`, '253 octets'],
    ['192.0.2.1', 'write [192.0.2.1]'],
    ['192.0.2.1.', 'write [192.0.2.1]'],
    ['2001:db8::1', 'write [IPv6:2001:db8::1]'],
    ['[192.0.2.256]', 'no address literal'],
    ['[010.0.0.1]', 'no address literal'],
    ['[192.0.2.1', 'no address literal'],
    ['[192.0.2.1].', 'no address literal'],
    ['[2001:db8::1]', 'no address literal'],
    ['[IPv6:2001:db8::zz]', 'no address literal'],
    ['[IPv6:fe80::1%eth0]', 'no address literal'],
    ['[IPv6:]', 'no address literal'],
    ['[example.com]', 'no address literal'],
    ['１２７.0.0.1', 'a character'],
    ['ü/b.com', '"/"'],
    ['ü／b.com', 'a character'],
    ['ü%41.com', 'a character'],
    ['ü。。com', 'a character'],
    ['exam\u00adple.com', 'a character'],
    ['\ufeffexample.com', 'white space'],
    ['exa\u200bmple.com', 'a character'],
    ['a\u2024com', 'a character'],
    ['\ud800.com', 'a character'],
    ['ü'.repeat(64), '63 octets'],
    ['ü'.repeat(100_000), '63 octets'],
  ])('%j: %s', (text, problem) => {
    expect(canonicalDomain(text)).toBeUndefined();
    expect(domainProblem(text)).toContain(problem);
  });
});
