import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { defineRoutes, type RouteDefinition } from '../../src/core/define-routes.js';
import type { Via } from '../../src/core/relay.js';
import { RouteResolver } from '../../src/core/route-resolver.js';
import { problemsOf } from './problems-of.js';

const relays = {
  exchange1: { host: '192.0.2.10', port: 25 },
  exchange2: { host: 'exchange2.example.com' },
  backup: { host: '2001:db8::7', secure: true },
  ses: { transport: { sendMail: () => undefined } },
} satisfies Record<string, Via>;

/** A definition as a JavaScript caller may write it. */
const define = (definition: unknown): unknown => defineRoutes(definition as Parameters<typeof defineRoutes>[0]);
const problemsIn = (parts: { relays?: unknown; routes?: unknown; otherwise?: unknown }): string[] =>
  problemsOf(() => define({ relays, routes: [], ...parts }));

test('tiers in the order written, with ports and weights filled in', () => {
  const table = defineRoutes({
    relays,
    routes: [{ match: 'example.com', tiers: [['exchange1', { relay: 'exchange2', weight: 3 }], ['backup'], ['ses']] }],
  });
  expect(new RouteResolver(table).resolve('user@example.com')).toEqual({
    action: 'relay',
    match: 'example.com',
    tiers: [
      {
        priority: 0,
        relays: [
          { id: 'exchange1', host: '192.0.2.10', port: 25, weight: 1, lookup: 'address' },
          { id: 'exchange2', host: 'exchange2.example.com', port: 587, weight: 3, lookup: 'address' },
        ],
      },
      { priority: 1, relays: [{ id: 'backup', host: '2001:db8::7', port: 465, weight: 1, lookup: 'address' }] },
      { priority: 2, relays: [{ id: 'ses', host: '', port: 0, weight: 1, lookup: 'address' }] },
    ],
  });
});

test('a relay that no route uses, an empty table and a route for ALL by MX are no mistakes', () => {
  expect(problemsIn({})).toEqual([]);
  expect(problemsIn({ relays: {} })).toEqual([]);
  expect(problemsIn({ routes: [{ match: 'ALL', action: 'mx' }] })).toEqual([]);
});

test('undefined counts as absent', () => {
  const via = { host: undefined, transport: relays.ses.transport };
  const routes = [{ match: 'example.com', tiers: [['a', { relay: 'b', weight: undefined }]], action: undefined }];
  expect(problemsIn({ relays: { a: via, b: { host: 'b.example', transport: undefined } }, routes })).toEqual([]);
});

test('the definition is neither changed nor kept', () => {
  const own = { a: { host: 'a.example', auth: { user: 'u', pass: 'p' } } };
  const routes: RouteDefinition<'a'>[] = [{ match: ['B.example', 'c.example'], tiers: [['a']] }];
  const before = JSON.stringify([own, routes]);
  const table = defineRoutes({ relays: own, routes });
  expect(JSON.stringify([own, routes])).toBe(before);
  own.a.host = 'elsewhere.example';
  routes.length = 0;
  expect(table.relay('a').via).toEqual({ host: 'a.example', auth: { user: 'u', pass: 'p' } });
  expect(table.rule('b.example')?.matches).toEqual(['b.example', 'c.example']);
});

describe('every mistake is named at once, by its path', () => {
  test('in one definition', () => {
    const problems = problemsOf(() =>
      define({
        relays: { eu1: { host: 'eu1.example.net', port: 70_000, pol: true }, eu2: {} },
        routes: [
          { match: 'a..b', tiers: [['eu1', { relay: 'eu11', weight: 0 }], []] },
          { match: 'ALL', tiers: [['eu1']] },
        ],
        otherwise: 'bounce',
        route: [],
      }),
    );
    expect(problems).toEqual([
      'otherwise: must be one of mx, reject; got "bounce"',
      'route: unknown option; did you mean "routes"?',
      'relays.eu1.port: must be an integer from 1 to 65535, got 70000',
      'relays.eu1.pol: unknown option; did you mean "pool"?',
      'relays.eu2: needs a host, or a transport that the app already has',
      'routes[0].tiers[0][1].weight: must be an integer from 1 to 1000, got 0',
      'routes[0].tiers[0][1].relay: no relay is called "eu11"; did you mean "eu1"?',
      'routes[0].tiers[1]: must be a non-empty array of relay ids, got an empty array',
      'routes[0].match: "a..b" has an empty label',
    ]);
  });

  test.each([
    [
      undefined,
      [
        'options: must be an object, got undefined',
        'relays: must be an object of relays by id',
        'routes: must be an array of routes, got undefined',
      ],
    ],
    [
      { relays: [], routes: {} },
      ['relays: must be an object of relays by id', 'routes: must be an array of routes, got an object'],
    ],
  ])('in what is no definition: %j', (definition, problems) => {
    expect(problemsOf(() => define(definition))).toEqual(problems);
  });
});

describe('a relay', () => {
  test.each<[unknown, string]>([
    ['smtp://user:secret@mail.example', 'relays.r: must be an object such as { host, port } or { transport }'],
    [{ port: 25 }, 'relays.r: needs a host, or a transport that the app already has'],
    [
      { host: 'a.example', transport: { send: () => 0 } },
      'relays.r: has both a host and a transport: a relay is one of them',
    ],
    [
      { transport: {} },
      'relays.r.transport: must be a nodemailer transport (with a `send` function) or transporter (with `sendMail`)',
    ],
    [{ transport: { send: () => 0 }, pool: true }, 'relays.r.pool: unknown option'],
    [{ host: '[192.0.2.1]' }, 'relays.r.host: has brackets: give the bare name or IP address'],
    [{ host: 'a.example:25' }, 'relays.r.host: holds a port: give it apart from the host'],
    [{ host: 'smtp://u:secret@a.example' }, 'relays.r.host: is a URL: give the bare name or IP address'],
    [{ host: 25 }, 'relays.r.host: must be a host name or an IP address'],
    [{ host: '192.0.2.1', lookup: 'mx' }, 'relays.r.lookup: must be "address": an IP address has no MX'],
    [
      { host: 'a.example', service: 'Gmail' },
      'relays.r.service: names of services are not known here: write its host, port and secure',
    ],
    [
      { host: 'a.example', dkim: {} },
      'relays.r.dkim: belongs to messages: it goes to the second argument of createTransport',
    ],
    [
      { host: 'a.example', lmtp: true },
      'relays.r.lmtp: LMTP is not supported yet: its replies after the dot are one for each recipient',
    ],
    [{ host: 'a.example', hots: 'b' }, 'relays.r.hots: unknown option; did you mean "host"?'],
  ])('%j: %s', (via, problem) => {
    expect(problemsIn({ relays: { r: via } })).toEqual([problem]);
  });

  test.each([
    ['', 'relays[""]: the id of a relay must not be empty'],
    ['a b', 'relays["a b"]: the id of a relay must not hold white space, commas or control characters'],
    ['a,b', 'relays["a,b"]: the id of a relay must not hold white space, commas or control characters'],
  ])('called %j', (id, problem) => {
    expect(problemsIn({ relays: { [id]: { host: 'a.example' } } })).toEqual([problem]);
  });
});

describe('a route', () => {
  const tiers = [['exchange1']];
  test.each<[unknown, string[]]>([
    [null, ['routes[0]: must be an object, got null']],
    [{ match: 'a.example' }, ['routes[0]: needs tiers, or an action ("mx" or "discard")']],
    [{ tiers }, ['routes[0].match: must be a domain, .domain, [address] or ALL, got undefined']],
    [{ match: [], tiers }, ['routes[0].match: must name at least one domain, got an empty array']],
    [{ match: ['a.example', 'a/b'], tiers }, ['routes[0].match[1]: "a/b" holds a "/": write the bare domain']],
    [{ match: 'a.example', tiers, action: 'mx' }, ['routes[0]: has both tiers and an action: a route has one of them']],
    [{ match: 'a.example', action: 'reject' }, ['routes[0].action: must be one of mx, discard; got "reject"']],
    [{ match: 'a.example', tiers, weight: 1 }, ['routes[0].weight: unknown option']],
    [
      { match: 'a.example', tiers: [] },
      [
        'routes[0].tiers: must be a non-empty array of tiers, such as [["first", "second"], ["backup"]], got an empty array',
      ],
    ],
    [
      { match: 'a.example', tiers: ['exchange1'] },
      ['routes[0].tiers[0]: must be a non-empty array of relay ids: write ["exchange1"]'],
    ],
    [{ match: 'a.example', tiers: [[5]] }, ['routes[0].tiers[0][0]: must be a relay id or { relay, weight }, got 5']],
    [
      { match: 'a.example', tiers: [['exchange3']] },
      ['routes[0].tiers[0][0]: no relay is called "exchange3"; did you mean "exchange1"?'],
    ],
    [
      { match: 'a.example', tiers: [[{ relay: 5, weight: 1.5 }]] },
      [
        'routes[0].tiers[0][0].weight: must be an integer from 1 to 1000, got 1.5',
        'routes[0].tiers[0][0].relay: must be the id of a relay, got 5',
      ],
    ],
    [
      { match: 'a.example', tiers: [['backup'], ['exchange1', 'backup']] },
      ['routes[0].tiers[1][1]: relay "backup" is in this route already, at routes[0].tiers[0][0]'],
    ],
  ])('%j', (route, problems) => {
    expect(problemsIn({ routes: [route] })).toEqual(problems);
  });

  test('must not repeat a match in another spelling', () => {
    const routes = [
      { match: ['example.com', 'EXAMPLE.com.'], tiers },
      { match: '.example.com', tiers },
      { match: ['münchen.example', '*.example.com'], tiers },
      { match: 'XN--MNCHEN-3YA.example', tiers },
    ];
    expect(problemsIn({ routes })).toEqual([
      'routes[0].match[1]: "EXAMPLE.com." has a route already, at routes[0]: make one of the two',
      'routes[2].match[1]: "*.example.com" has a route already, at routes[1]: make one of the two',
      'routes[3].match: "XN--MNCHEN-3YA.example" has a route already, at routes[2]: make one of the two',
    ]);
  });
});

test('no problem, plan or inspection shows a credential', () => {
  const secret = 'hunter2';
  const wrong = {
    a: `smtp://u:${secret}@a.example`,
    b: { host: `u:${secret}@b.example` },
    c: { host: 'c.example', auth: secret, tls: secret, customAuth: secret, proxy: secret },
  };
  expect(problemsIn({ relays: wrong }).join()).not.toContain(secret);

  const table = defineRoutes({
    relays: { a: { host: 'a.example', auth: { user: 'u', pass: secret }, proxy: `http://u:${secret}@p.example` } },
    routes: [{ match: 'ALL', tiers: [['a']] }],
  });
  const resolver = new RouteResolver(table);
  for (const shown of [table, resolver, table.relay('a'), resolver.explain('x@y.example'), [...table.rules()]]) {
    expect(inspect(shown, { depth: 9, showHidden: true }) + JSON.stringify(shown)).not.toContain(secret);
  }
});
