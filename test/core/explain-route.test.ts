import { expect, test } from 'vitest';
import { defineRoutes } from '../../src/core/define-routes.js';
import { parseSmtpRoutes } from '../../src/core/parse-smtp-routes.js';
import { RouteResolver } from '../../src/core/route-resolver.js';

const text = `
example.com   exchange.example.net, 192.0.2.7, [backup.example.net]/pri=5
.example.com  USEDNS
ALL           /dev/null
`;
const resolver = new RouteResolver(parseSmtpRoutes(text));

test('every pattern that could match, the most specific first, with what lost', () => {
  expect(resolver.explain('User@A.B.Example.com')).toEqual({
    input: 'User@A.B.Example.com',
    domain: 'a.b.example.com',
    considered: [
      { match: 'a.b.example.com', won: false },
      { match: '.b.example.com', won: false },
      { match: '.example.com', rule: 'mx', won: true },
      { match: '.com', won: false },
      { match: 'ALL', rule: 'discard', won: false },
    ],
    plan: { action: 'mx', match: '.example.com', domain: 'a.b.example.com' },
    why: ".example.com is the longest suffix of a.b.example.com that has a route: the mail goes to the domain's own exchanges.",
    lookups: ['MX of a.b.example.com, then addresses of the exchanges, or of a.b.example.com if it has none'],
  });
});

test('the tiers of the winner, and what DNS is asked for them', () => {
  const { plan, why, lookups } = resolver.explain('example.com');
  expect(plan).toEqual(resolver.resolve('example.com'));
  expect(why).toBe('example.com has a route of its own: the mail goes to its relays.');
  expect(lookups).toEqual([
    'MX of exchange.example.net, then addresses of the exchanges, or of exchange.example.net if it has none',
    'addresses of backup.example.net',
  ]);
});

test('ALL, the default and no default each have their sentence', () => {
  expect(resolver.explain('a.test').why).toBe(
    'No more specific route matches a.test, so ALL does: the mail is discarded.',
  );
  const without = (otherwise: 'mx' | 'reject'): string =>
    new RouteResolver(parseSmtpRoutes('', { otherwise })).explain('x@a.test').why;
  expect(without('mx')).toBe(
    "No route matches a.test and there is none for ALL, so `otherwise` decides: the mail goes to the domain's own exchanges.",
  );
  expect(without('reject')).toBe(
    'No route matches a.test and there is none for ALL, so `otherwise` decides: the mail is rejected.',
  );
});

test('an address literal has no suffixes and no MX', () => {
  const literal = new RouteResolver(parseSmtpRoutes('')).explain('x@[192.0.2.1]');
  expect(literal.considered.map(({ match }) => match)).toEqual(['[192.0.2.1]', 'ALL']);
  expect(literal.lookups).toEqual([]);
});

test('a wrapped transport asks no DNS of ours', () => {
  const table = defineRoutes({
    relays: { ses: { transport: { send: () => undefined } } },
    routes: [{ match: 'ALL', tiers: [['ses']] }],
  });
  expect(new RouteResolver(table).explain('a.test').lookups).toEqual([]);
});

test('what cannot be asked for is explained too', () => {
  expect(resolver.explain('a b@example.com')).toEqual({
    input: 'a b@example.com',
    considered: [],
    plan: { action: 'reject', reason: 'the local part is not valid (RFC 5321 4.1.2)' },
    why: 'Rejected: the local part is not valid (RFC 5321 4.1.2).',
    lookups: [],
  });
});

test('an explanation is plain JSON', () => {
  const explanation = resolver.explain('x@example.com');
  expect(JSON.parse(JSON.stringify(explanation))).toEqual(explanation);
});
