import { describe, expect, test } from 'vitest';
import { needsSmtpUtf8, parseAddress, recipientKey, readMailbox, routingDomain } from '../../src/core/address.js';
import { addressProblem } from '../../src/core/address-problem.js';

describe('an address is split at its last @', () => {
  test.each([
    ['user@example.com', 'user', 'example.com'],
    ['User.Name+tag@EXAMPLE.com.', 'User.Name+tag', 'example.com'],
    ["!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~", 'example.com'],
    ['a..b.@docomo.example', 'a..b.', 'docomo.example'],
    ['jürgen@example.com', 'jürgen', 'example.com'],
    ['🎈@MÜNCHEN.example', '🎈', 'xn--mnchen-3ya.example'],
    ['"john doe"@example.com', '"john doe"', 'example.com'],
    ['"a@b"@example.com', '"a@b"', 'example.com'],
    ['"a\\"b\\\\"@example.com', '"a\\"b\\\\"', 'example.com'],
    ['""@example.com', '""', 'example.com'],
    ['user@[192.0.2.1]', 'user', '[192.0.2.1]'],
    ['user@[ipv6:2001:DB8::1]', 'user', '[IPv6:2001:db8::1]'],
    [`${'v'.repeat(256)}@example.com`, 'v'.repeat(256), 'example.com'],
  ])('%j', (text, local, domain) => {
    expect(parseAddress(text)).toEqual({ local, domain });
    expect(routingDomain(text)).toBe(domain);
  });
});

describe('nothing passes that could end a command or its angle brackets', () => {
  test.each([
    ['@example.com', 'no local part'],
    ['user@', 'the domain is empty'],
    ['user@example.com>', 'the domain'],
    ['<user@example.com>', 'the local part'],
    ['a b@example.com', 'the local part'],
    [' user@example.com', 'the local part'],
    ['user @example.com', 'the local part'],
    ['user@ example.com', 'white space'],
    ['user@example.com\r\nRCPT TO:<x@y.example>', 'the local part'],
    ['user\r\n@example.com', 'the local part'],
    ['user\0@example.com', 'the local part'],
    ['"a\rb"@example.com', 'the local part'],
    ['"a\tb"@example.com', 'the local part'],
    ['"a\\\nb"@example.com', 'the local part'],
    ['"a"b"@example.com', 'the local part'],
    ['"a\\"@example.com', 'the local part'],
    ['a@b@example.com', 'the local part'],
    ['a,b@example.com', 'the local part'],
    ['a:b@example.com', 'the local part'],
    ['a(c)@example.com', 'the local part'],
    ['a\u0085@example.com', 'the local part'],
    ['a\u007f@example.com', 'the local part'],
    ['a\u00a0@example.com', 'the local part'],
    ['"a\u2028"@example.com', 'the local part'],
    ['\ud800@example.com', 'the local part'],
    [`${'v'.repeat(257)}@example.com`, 'the local part'],
    [`${'ü'.repeat(129)}@example.com`, 'the local part'],
    [`user@${'a.'.repeat(126)}aa`, 'longer than 253'],
    ['user@a/b.com', '"/"'],
    ['user@example.com:25', 'no port'],
    ['user@127.0.0.1', 'write [127.0.0.1]'],
  ])('%j: %s', (text, problem) => {
    expect(parseAddress(text)).toBeUndefined();
    expect(routingDomain(text)).toBeUndefined();
    expect(addressProblem(text)).toContain(problem);
  });
});

test('a domain routes as the addresses in it', () => {
  expect(routingDomain('Example.COM.')).toBe('example.com');
  expect(routingDomain('a b')).toBeUndefined();
});

describe('the same recipient', () => {
  test('has the same local part byte for byte and the same domain', () => {
    expect(recipientKey('user@MÜNCHEN.example.')).toBe(recipientKey('user@xn--mnchen-3ya.example'));
    expect(recipientKey('User@example.com')).not.toBe(recipientKey('user@example.com'));
    expect(recipientKey('"user"@example.com')).not.toBe(recipientKey('user@example.com'));
  });

  test('of texts that are no address, is the same text', () => {
    expect(recipientKey('no address')).toBe('no address');
  });
});

describe('on the wire', () => {
  test.each([
    ['user@example.com', 'user@example.com', false],
    ['User@EXAMPLE.com', 'User@EXAMPLE.com', false],
    ['user@example.com.', 'user@example.com', false],
    ['user@MÜNCHEN.example', 'user@xn--mnchen-3ya.example', false],
    ['"a@ü"@MÜNCHEN.example', '"a@ü"@MÜNCHEN.example', true],
    ['jürgen@münchen.example', 'jürgen@münchen.example', true],
    ['jürgen@example.com', 'jürgen@example.com', true],
    ['user@[IPv6:2001:DB8::1]', 'user@[IPv6:2001:DB8::1]', false],
    ['', '', false],
    ['no address', 'no address', false],
  ])('%j is %j', (address, wire, utf8) => {
    expect(readMailbox(address)?.wire ?? address).toBe(wire);
    expect(needsSmtpUtf8(address)).toBe(utf8);
  });
});
