import { expect, test } from 'vitest';
import { defineRoutes } from '../../src/core/define-routes.js';
import { formatSmtpRoutes } from '../../src/core/format-smtp-routes.js';
import { parseSmtpRoutes } from '../../src/core/parse-smtp-routes.js';
import { problemsOf } from './problems-of.js';

test('a line for each match, priorities where there are several', () => {
  const text = `.example.com USEDNS
example.com: Exchange1.example.com, b.example.com:2525/pri=10   # why
all [c.example.com]:26/pri=3
[IPV6:2001:DB8::1] 2001:db8::7, [2001:db8::8]:587
spam.test /dev/null`;
  expect(formatSmtpRoutes(parseSmtpRoutes(text))).toBe(`.example.com             USEDNS
example.com              Exchange1.example.com/pri=0, b.example.com:2525/pri=10
ALL                      [c.example.com]:26/pri=3
[IPv6:2001:db8::1]       2001:db8::7, [2001:db8::8]:587
spam.test                /dev/null
`);
});

test('a table from code, with destinations in the place of its relay ids', () => {
  const table = defineRoutes({
    relays: {
      name: { host: 'Mail.example.net' },
      smtp: { host: 'mx.example.net', port: 25 },
      mx: { host: 'example.org', port: 25, lookup: 'mx' },
      four: { host: '192.0.2.7', port: 25 },
      six: { host: '2001:DB8::7', port: 25 },
      six587: { host: '2001:db8::7' },
      'own.example.net:2525': { host: 'own.example.net', port: 2525, lookup: 'mx' },
      unused: { host: 'unused.example', auth: {} },
    },
    routes: [
      { match: ['a.test', '.a.test'], tiers: [['name', 'smtp'], ['mx']] },
      { match: 'b.test', tiers: [['four', 'six', 'six587', 'own.example.net:2525']] },
    ],
  });
  const text = formatSmtpRoutes(table);
  expect(text).toBe(`a.test                   [mail.example.net]:587/pri=0, [mx.example.net]/pri=0, example.org/pri=1
.a.test                  [mail.example.net]:587/pri=0, [mx.example.net]/pri=0, example.org/pri=1
b.test                   192.0.2.7, 2001:db8::7, [2001:db8::7]:587, own.example.net:2525
`);
  expect(formatSmtpRoutes(parseSmtpRoutes(text))).toBe(text);
});

test('a host with the name of a keyword', () => {
  const table = defineRoutes({
    relays: { x: { host: 'usedns', port: 25, lookup: 'mx' } },
    routes: [{ match: 'a.test', tiers: [['x']] }],
  });
  expect(parseSmtpRoutes(formatSmtpRoutes(table)).rule('a.test')?.tiers).toMatchObject([
    { relays: [{ host: 'usedns' }] },
  ]);
});

test('what text cannot say is refused, all at once', () => {
  const table = defineRoutes({
    relays: {
      a: { host: 'a.example', auth: { user: 'u', pass: 'p' }, secure: true },
      b: { host: 'B.example' },
      twin: { host: 'b.example', port: 587, lookup: 'address' },
      ses: { transport: { send: () => undefined } },
    },
    routes: [
      {
        match: ['x.test', 'y.test'],
        tiers: [
          ['a', { relay: 'b', weight: 3 }],
          ['twin', 'ses'],
        ],
      },
      { match: 'z.test', tiers: [['a']] },
    ],
    otherwise: 'reject',
  });
  expect(problemsOf(() => formatSmtpRoutes(table))).toEqual([
    'otherwise: text cannot say "reject": without a route for ALL it means delivery by MX',
    'relays.a.auth: text has no word for this option',
    'relays.a.secure: text has no word for this option',
    'relays.ses: text has no word for a wrapped transport',
    'x.test: text has no word for the weight of relay "b"',
    'x.test: in text, relays "b" and "twin" are one destination',
  ]);
});

test('ALL by MX is refused, and with a route for ALL nothing is left to reject', () => {
  const mx = defineRoutes({ relays: {}, routes: [{ match: ['a.test', 'ALL'], action: 'mx' }] });
  expect(problemsOf(() => formatSmtpRoutes(mx))).toEqual(['ALL: text does not allow USEDNS for ALL']);
  expect(problemsOf(() => formatSmtpRoutes(parseSmtpRoutes('ALL a.test', { otherwise: 'reject' })))).toEqual([]);
});
