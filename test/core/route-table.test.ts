import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { defineRoutes } from '../../src/core/define-routes.js';
import { parseSmtpRoutes } from '../../src/core/parse-smtp-routes.js';
import { problemsOf } from './problems-of.js';

const table = defineRoutes({
  relays: { one: { host: 'one.example' }, two: { host: 'two.example' } },
  routes: [
    { match: ['B.test', '.b.test'], tiers: [['one'], ['two']] },
    { match: 'ALL', action: 'mx' },
    { match: 'spam.test', action: 'discard' },
  ],
});

test('a relay by its id', () => {
  expect(table.relay('two').host).toBe('two.example');
  expect([...table.relays()].map(({ id }) => id)).toEqual(['one', 'two']);
  expect(problemsOf(() => table.relay('tow'))).toEqual(['relay: no relay is called "tow"; did you mean "two"?']);
});

test('a rule by any of its matches, called after the first', () => {
  expect(table.rule('.b.test')).toEqual(table.rule('b.test'));
  expect(table.rule('.b.test')).toMatchObject({ name: 'b.test', matches: ['b.test', '.b.test'], action: 'relay' });
  expect(table.rule('ALL')).toEqual({ name: 'ALL', matches: ['ALL'], action: 'mx', tiers: [] });
  expect(table.rule('B.test')).toBeUndefined();
});

test('every rule once, in the order written', () => {
  expect([...table.rules()].map(({ name }) => name)).toEqual(['b.test', 'ALL', 'spam.test']);
});

test('the most specific rule for a domain, with the match that led to it', () => {
  const found = (domain: string): string | undefined => table.find(domain)?.match;
  expect([found('b.test'), found('x.y.b.test'), found('bb.test'), found('[192.0.2.1]')]).toEqual([
    'b.test',
    '.b.test',
    'ALL',
    'ALL',
  ]);
});

test('tiers are frozen through and through', () => {
  const tiers = table.rule('b.test')?.tiers ?? [];
  expect([tiers, ...tiers, ...tiers.flatMap(({ relays }) => [relays, ...relays])].every(Object.isFrozen)).toBe(true);
});

test('inspection counts and JSON says nothing', () => {
  expect(inspect(table)).toBe("RouteTable { 4 routes, 2 relays, otherwise: 'mx' }");
  expect(JSON.stringify(table)).toBe('{"otherwise":"mx"}');
});

describe('whether DNS is needed', () => {
  test.each([
    ['', {}, 'no route matches ALL, so other domains are delivered to their MX'],
    ['a.test b.test', {}, 'no route matches ALL, so other domains are delivered to their MX'],
    ['a.test b.test', { otherwise: 'reject' } as const, undefined],
    ['ALL b.test', {}, undefined],
    ['a.test USEDNS\nALL b.test', {}, 'the route for a.test uses MX'],
    ['a.test USEDNS', { otherwise: 'reject' } as const, 'the route for a.test uses MX'],
  ])('%j %j: %s', (text, options, why) => {
    expect(parseSmtpRoutes(text, options).needsDns()).toBe(why);
  });

  test('for ALL by MX', () => {
    expect(table.needsDns()).toBe('the route for ALL uses MX');
  });
});
