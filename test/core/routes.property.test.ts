/** What must hold for every table and every text, over random ones. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { routingDomain } from '../../src/core/address.js';
import { defineRoutes } from '../../src/core/define-routes.js';
import { canonicalDomain } from '../../src/core/domain.js';
import { formatSmtpRoutes } from '../../src/core/format-smtp-routes.js';
import { parseSmtpRoutes } from '../../src/core/parse-smtp-routes.js';
import { RouteResolver } from '../../src/core/route-resolver.js';
import type { RouteTable } from '../../src/core/route-table.js';

/** Few labels, so that domains and patterns meet. */
const label = fc.constantFrom('a', 'b', 'c', 'aa', 'x_y', '1', 'com');
const domain = fc
  .array(label, { minLength: 1, maxLength: 5 })
  .map((labels) => labels.join('.'))
  .filter((name) => canonicalDomain(name) !== undefined);
const literal = fc.oneof(
  fc.ipV4().map((ip) => `[${ip}]`),
  fc.ipV6().map((ip) => `[IPv6:${ip}]`),
);
const pattern = fc.oneof(
  { weight: 3, arbitrary: domain },
  { weight: 3, arbitrary: domain.map((name) => `.${name}`) },
  { weight: 1, arbitrary: fc.constant('ALL') },
  { weight: 1, arbitrary: fc.constantFrom('[192.0.2.1]', '[IPv6:2001:db8::1]') },
);
const patterns = fc.uniqueArray(pattern, { maxLength: 30 });

/** The rule of DESIGN section 4, said by comparing strings: exact, then the longest suffix, then ALL. */
function expected(name: string, table: readonly string[]): string {
  if (table.includes(name)) return name;
  const below = table.filter((one) => one.startsWith('.') && name.endsWith(one) && !name.startsWith('['));
  const [longest] = below.sort((a, b) => b.length - a.length);
  return longest ?? (table.includes('ALL') ? 'ALL' : 'OTHERWISE');
}

const discarding = (matches: readonly string[]): RouteTable =>
  defineRoutes({ relays: {}, routes: matches.map((match) => ({ match, action: 'discard' })) });

test('the longest suffix wins, whatever the order of the list', () => {
  const shuffled = patterns.chain((list) =>
    fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
  );
  fc.assert(
    fc.property(shuffled, domain, ([list, other], name) => {
      const [plan, again] = [list, other].map((one) => new RouteResolver(discarding(one)).resolve(`user@${name}`));
      expect(plan).toMatchObject({ match: expected(name, list) });
      expect(again).toEqual(plan);
    }),
  );
});

test('explaining and resolving agree', () => {
  fc.assert(
    fc.property(patterns, fc.oneof(domain, literal), (list, name) => {
      const resolver = new RouteResolver(discarding(list));
      const { plan, considered } = resolver.explain(name);
      expect(plan).toEqual(resolver.resolve(name));
      const known = considered.filter(({ rule }) => rule !== undefined).map(({ match }) => match);
      expect(known[0] ?? 'OTHERWISE').toBe('match' in plan && plan.match);
      expect(considered.filter(({ won }) => won).map(({ match }) => match)).toEqual(known.slice(0, 1));
    }),
  );
});

describe('text', () => {
  const anyCase = <T extends string>(text: fc.Arbitrary<T>): fc.Arbitrary<string> =>
    fc.tuple(text, fc.boolean()).map(([one, upper]) => (upper ? one.toUpperCase() : one));
  const host = anyCase(
    fc.oneof(
      domain.map((name) => `${name}.test`),
      fc.constantFrom('mx', 'münchen.test', 'usedns'),
    ),
  );
  const port = fc.oneof(fc.constant(''), fc.constantFrom(':25', ':1', ':2525', ':65535'));
  const destination = fc.oneof(
    fc.tuple(host, port).map(([name, after]) => (/^usedns$/i.test(name) ? `${name}:26` : name + after)),
    fc.tuple(host, port).map(([name, after]) => `[${name}]${after}`),
    fc.tuple(fc.ipV4(), port).map(([ip, after]) => ip + after),
    fc.ipV6(),
    fc.tuple(fc.ipV6(), port).map(([ip, after]) => `[${ip}]${after}`),
  );
  const priority = fc.oneof(
    fc.constant(''),
    fc.integer({ min: 0, max: 65_535 }).map((pri) => `/pri=${String(pri)}`),
  );
  const list = fc
    .uniqueArray(fc.tuple(destination, priority), { minLength: 1, maxLength: 5, selector: ([one]) => placeOf(one) })
    .map((items) => items.map((item) => item.join('')).join(', '));
  const line = fc.oneof({ weight: 5, arbitrary: list }, fc.constantFrom('USEDNS', '/dev/null', 'usedns'));
  const text = fc.uniqueArray(fc.tuple(pattern, line), { maxLength: 12, selector: ([match]) => match }).map((lines) =>
    lines
      .filter(([match, right]) => match !== 'ALL' || right.toLowerCase() !== 'usedns')
      .map(([match, right]) => `${match} ${right}`)
      .join('\n'),
  );

  /** Destinations of one line must differ in this. */
  function placeOf(written: string): string {
    const [relay] = parseSmtpRoutes(`x ${written}`).relays();
    return `${relay?.lookup ?? ''} ${relay?.host ?? ''} ${String(relay?.port)}`;
  }

  const content = (table: RouteTable): object => ({
    rules: [...table.rules()],
    // By id: the order of relays has no meaning.
    relays: new Map([...table.relays()].map(({ id, host, port, lookup }) => [id, { host, port, lookup }])),
  });

  test('formatted and parsed again is the same table', () => {
    fc.assert(
      fc.property(text, (written) => {
        const table = parseSmtpRoutes(written);
        const formatted = formatSmtpRoutes(table);
        expect(content(parseSmtpRoutes(formatted))).toEqual(content(table));
        expect(formatSmtpRoutes(parseSmtpRoutes(formatted))).toBe(formatted);
      }),
    );
  });

  test('of any kind is read or refused with reasons', () => {
    const noise = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom(...Array.from('a.:,[]/=pri# \t\r\n@0')) }),
    );
    fc.assert(
      fc.property(noise, (written) => {
        try {
          parseSmtpRoutes(written);
        } catch (error) {
          expect(error).toMatchObject({ name: 'RouteConfigError', code: 'ERR_SMTP_ROUTES_CONFIG' });
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('resolving', () => {
  const resolver = new RouteResolver(parseSmtpRoutes('ALL relay.test'));
  const anything = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom(...Array.from('aü@."\\[]:/%<> \r\n\0１。')) }),
    fc.emailAddress(),
    fc.domain(),
  );

  test('never throws, and a plan for the same text is the same', () => {
    fc.assert(
      fc.property(anything, (written) => {
        expect(resolver.resolve(written)).toEqual(resolver.resolve(written));
      }),
      { numRuns: 1000 },
    );
  });

  test('takes every well-formed address and domain', () => {
    fc.assert(
      fc.property(fc.oneof(fc.emailAddress(), fc.domain()), (written) => {
        expect(resolver.resolve(written).action).toBe('relay');
      }),
    );
  });

  test('never answers a plan where a line end, a control, a blank or a slash slipped in', () => {
    const bad = fc.constantFrom(...Array.from('\r\n\0\t \u00a0\u2028\u0085\u007f<>(),;:%'), '\r\n', '\ufeff');
    fc.assert(
      fc.property(fc.emailAddress(), bad, fc.nat(), (address, slip, at) => {
        const place = at % (address.length + 1);
        fc.pre(slip !== '%' || place > address.lastIndexOf('@'));
        // Before the @, RFC 6531 takes all of Unicode but white space and controls.
        fc.pre(slip !== '\ufeff' || place > address.lastIndexOf('@'));
        expect(resolver.resolve(address.slice(0, place) + slip + address.slice(place)).action).toBe('reject');
      }),
      { numRuns: 500 },
    );
  });

  test('finds a domain that is canonical already, and stays so', () => {
    fc.assert(
      fc.property(anything, (written) => {
        const name = routingDomain(written);
        fc.pre(name !== undefined);
        expect(canonicalDomain(name)).toBe(name);
        expect(name).toMatch(/^(?:[a-z0-9_.-]{1,253}|\[[\d.]+\]|\[IPv6:[\da-f:]+\])$/);
      }),
    );
  });
});
