import { describe, expect, test } from 'vitest';
import { parseSmtpRoutes } from '../../src/core/parse-smtp-routes.js';
import { RouteResolver } from '../../src/core/route-resolver.js';
import { problemsOf } from './problems-of.js';

const text = `
example.com              exact.example.net
.example.com             below.example.net
.deep.example.com        deeper.example.net
dns.example.com          USEDNS
münchen.example          idn.example.net
[192.0.2.1]              literal.example.net
[IPv6:2001:db8::1]       literal.example.net
spam.test                /dev/null
a.test                   [b.test]
b.test                   [a.test]
under_score.test         underscore.example.net
localhost                local.example.net
`;
const table = parseSmtpRoutes(text);
const resolver = new RouteResolver(table);

/** The plan in short: the first host, or the action, with the match. */
function planned(domainOrAddress: string): string {
  const plan = resolver.resolve(domainOrAddress);
  if (plan.action === 'reject') return `reject: ${plan.reason}`;
  return `${plan.match} -> ${plan.action === 'relay' ? (plan.tiers[0]?.relays[0]?.host ?? '') : plan.action}`;
}

describe('the most specific rule wins', () => {
  test.each([
    ['example.com', 'example.com -> exact.example.net'],
    ['user@example.com', 'example.com -> exact.example.net'],
    ['User@EXAMPLE.Com.', 'example.com -> exact.example.net'],
    ['mail.example.com', '.example.com -> below.example.net'],
    ['a.b.c.example.com', '.example.com -> below.example.net'],
    ['deep.example.com', '.example.com -> below.example.net'],
    ['x.deep.example.com', '.deep.example.com -> deeper.example.net'],
    ['dns.example.com', 'dns.example.com -> mx'],
    ['x.dns.example.com', '.example.com -> below.example.net'],
    ['notexample.com', 'OTHERWISE -> mx'],
    ['user@MÜNCHEN.example.', 'xn--mnchen-3ya.example -> idn.example.net'],
    ['user@xn--mnchen-3ya.example', 'xn--mnchen-3ya.example -> idn.example.net'],
    ['user@[192.0.2.1]', '[192.0.2.1] -> literal.example.net'],
    ['user@[ipv6:2001:0db8:0::1]', '[IPv6:2001:db8::1] -> literal.example.net'],
    ['user@[192.0.2.2]', 'OTHERWISE -> mx'],
    ['spam.test', 'spam.test -> discard'],
    ['under_score.test', 'under_score.test -> underscore.example.net'],
    ['root@localhost', 'localhost -> local.example.net'],
    ['otherwise', 'OTHERWISE -> mx'],
    ['all', 'OTHERWISE -> mx'],
  ])('%s: %s', (domainOrAddress, plan) => {
    expect(planned(domainOrAddress)).toBe(plan);
  });

  test('and is not asked again for what it answers', () => {
    expect(planned('a.test')).toBe('a.test -> b.test');
    expect(planned('b.test')).toBe('b.test -> a.test');
  });
});

test('a plan by MX carries the canonical domain', () => {
  expect(resolver.resolve('x@BÜCHER.example.')).toEqual({
    action: 'mx',
    match: 'OTHERWISE',
    domain: 'xn--bcher-kva.example',
  });
  expect(resolver.resolve('x@[192.0.2.9]')).toEqual({ action: 'mx', match: 'OTHERWISE', domain: '[192.0.2.9]' });
});

test('plans are frozen, and plans of one rule have the same tiers', () => {
  const plans = ['a.example.com', 'dns.example.com', 'spam.test', 'a b'].map((domain) => resolver.resolve(domain));
  expect(plans.every(Object.isFrozen)).toBe(true);
  const [one, other] = [resolver.resolve('a.example.com'), resolver.resolve('b@b.example.com')];
  expect('tiers' in one && 'tiers' in other && one.tiers === other.tiers).toBe(true);
});

describe('what is neither a domain nor an address is rejected', () => {
  test.each([
    ['', 'the domain is empty'],
    [' example.com', 'the domain holds white space or a control character'],
    ['example.com\n', 'the domain holds white space or a control character'],
    ['user@example.com\0', 'the domain holds white space or a control character'],
    ['example.com/x', 'the domain holds a "/": write the bare domain'],
    ['user@example.com:25', 'the domain holds a ":": a domain has no port'],
    ['a..example.com', 'the domain has an empty label'],
    ['user@', 'the domain is empty'],
    ['@example.com', 'the address has no local part'],
    ['a b@example.com', 'the local part is not valid (RFC 5321 4.1.2)'],
  ])('%j: %s', (domainOrAddress, reason) => {
    expect(resolver.resolve(domainOrAddress)).toEqual({ action: 'reject', reason });
  });

  test.each([undefined, null, 5, {}, Symbol('x'), ['a.test']])('%s', (value) => {
    expect(resolver.resolve(value as string)).toEqual({ action: 'reject', reason: 'not a string' });
    expect(resolver.explain(value as string)).toMatchObject({ why: 'Rejected: not a string.' });
  });
});

test('only a route table makes a resolver', () => {
  const problem = ['table: must be a table from defineRoutes or parseSmtpRoutes'];
  expect(problemsOf(() => new RouteResolver({} as never))).toEqual(problem);
  expect(problemsOf(() => new RouteResolver(undefined as never))).toEqual(problem);
});
