import { describe, expectTypeOf, test } from 'vitest';
import { defineRoutes, type RouteDefinition } from '../../src/core/define-routes.js';
import type { Via } from '../../src/core/relay.js';
import type { RoutePlan } from '../../src/core/route-plan.js';
import type { RouteResolver } from '../../src/core/route-resolver.js';
import type { RouteTable } from '../../src/core/route-table.js';

const relays = { eu1: { host: 'eu1.example.net' }, eu2: { host: 'eu2.example.net', port: 2525, pool: true } };

describe('relay ids', () => {
  test('come from the relays', () => {
    expectTypeOf(
      defineRoutes({ relays, routes: [{ match: 'ALL', tiers: [['eu1', { relay: 'eu2', weight: 3 }]] }] }),
    ).toEqualTypeOf<RouteTable>();
  });

  test('that are mistyped do not compile', () => {
    // @ts-expect-error no relay is called eu3
    defineRoutes({ relays, routes: [{ match: 'ALL', tiers: [['eu3']] }] });
    // @ts-expect-error no relay is called eu3
    defineRoutes({ relays, routes: [{ match: 'ALL', tiers: [['eu1'], [{ relay: 'eu3', weight: 1 }]] }] });
    // @ts-expect-error not even where the relays stand in the same call
    defineRoutes({ relays: { a: { host: 'a.example' } }, routes: [{ match: 'ALL', tiers: [['b']] }] });
  });

  test('that are only known at run time are strings', () => {
    const loaded: Record<string, Via> = {};
    const routes: RouteDefinition[] = [{ match: ['a.example'], tiers: [['any']] }];
    expectTypeOf(defineRoutes({ relays: loaded, routes })).toEqualTypeOf<RouteTable>();
  });

  test('may stand in lists that were built before', () => {
    const routes = (['a.example', 'b.example'] as const).map((match): RouteDefinition<'eu1' | 'eu2'> => ({
      match,
      tiers: [['eu1'], ['eu2']],
    }));
    expectTypeOf(defineRoutes({ relays, routes, otherwise: 'reject' })).toEqualTypeOf<RouteTable>();
  });
});

describe('a route', () => {
  test('has tiers or an action', () => {
    defineRoutes({
      relays,
      routes: [
        { match: 'spam.example', action: 'discard' },
        { match: 'ALL', action: 'mx' },
      ],
    });
    // @ts-expect-error it has both of them
    defineRoutes({ relays, routes: [{ match: 'ALL', action: 'mx', tiers: [['eu1']] }] });
    // @ts-expect-error it has neither of them
    defineRoutes({ relays, routes: [{ match: 'ALL' }] });
    // @ts-expect-error no such action
    defineRoutes({ relays, routes: [{ match: 'ALL', action: 'reject' }] });
    // @ts-expect-error tiers are lists of lists
    defineRoutes({ relays, routes: [{ match: 'ALL', tiers: ['eu1'] }] });
  });
});

describe('a relay', () => {
  test('takes known options of the right type, or a transport', () => {
    defineRoutes({ relays: { ses: { transport: { send: (): void => undefined } } }, routes: [] });
    // @ts-expect-error a mistyped option
    defineRoutes({ relays: { a: { host: 'a.example', prot: 25 } }, routes: [] });
    // @ts-expect-error a port is a number
    defineRoutes({ relays: { a: { host: 'a.example', port: '25' } }, routes: [] });
    // @ts-expect-error neither a host nor a transport
    defineRoutes({ relays: { a: { port: 25 } }, routes: [] });
  });
});

test('a plan is read by its action', () => {
  expectTypeOf<ReturnType<RouteResolver['resolve']>>().toEqualTypeOf<RoutePlan>();
  type Of<A extends RoutePlan['action']> = Extract<RoutePlan, { action: A }>;
  expectTypeOf<Of<'relay'>['tiers'][number]['relays'][number]>().toEqualTypeOf<{
    readonly id: string;
    readonly host: string;
    readonly port: number;
    readonly weight: number;
    readonly lookup: 'address' | 'mx';
  }>();
  expectTypeOf<keyof Of<'mx'>>().toEqualTypeOf<'action' | 'match' | 'domain'>();
  expectTypeOf<keyof Of<'discard'>>().toEqualTypeOf<'action' | 'match'>();
  expectTypeOf<keyof Of<'reject'>>().toEqualTypeOf<'action' | 'reason'>();
});
