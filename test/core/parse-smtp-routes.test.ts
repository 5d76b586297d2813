import { describe, expect, test } from 'vitest';
import { parseSmtpRoutes } from '../../src/core/parse-smtp-routes.js';
import { RouteResolver } from '../../src/core/route-resolver.js';
import type { RouteTable } from '../../src/core/route-table.js';
import { problemsOf } from './problems-of.js';

/** The table as lines of `match: action` or `match: id host port lookup, … | next tier`. */
function outline(table: RouteTable): string[] {
  return [...table.rules()].map(({ name, action, tiers }) => {
    const shown = tiers.map(({ priority, relays }) => {
      const members = relays.map(({ id, host, port, lookup }) => `${id} ${host} ${String(port)} ${lookup}`);
      return `${String(priority)}: ${members.join(', ')}`;
    });
    return [name, action === 'relay' ? shown.join(' | ') : action].join(' -> ');
  });
}

test('the example of the manual', () => {
  const table = parseSmtpRoutes(`
# comment
example.com      exchange1.example.com/pri=0, exchange2.example.com/pri=0, backup.example.net:2525/pri=10
.example.com     USEDNS
partner.test     [relay.partner.test], 192.0.2.7, [2001:db8::7]:587/pri=5
spam.test        /dev/null
ALL              smarthost.example.net
`);
  expect(outline(table)).toEqual([
    'example.com -> 0: exchange1.example.com exchange1.example.com 25 mx, exchange2.example.com exchange2.example.com 25 mx' +
      ' | 10: backup.example.net:2525 backup.example.net 2525 mx',
    '.example.com -> mx',
    'partner.test -> 0: [relay.partner.test] relay.partner.test 25 address, 192.0.2.7 192.0.2.7 25 address' +
      ' | 5: [2001:db8::7]:587 2001:db8::7 587 address',
    'spam.test -> discard',
    'ALL -> 0: smarthost.example.net smarthost.example.net 25 mx',
  ]);
  expect(table.relay('[2001:db8::7]:587').via).toEqual({ host: '2001:db8::7', port: 587, lookup: 'address' });
});

describe('what a line may look like', () => {
  test.each([
    ['a colon after the domain', 'a.test: host.test'],
    ['a colon apart from the domain', 'a.test : host.test'],
    ['tabs', '\ta.test\t\thost.test\t'],
    ['a carriage return', 'a.test host.test\r\n'],
    ['a byte order mark', '\ufeffa.test host.test'],
    ['no-break spaces, as from a web page', 'a.test\u00a0host.test\u00a0'],
    ['a comment behind', 'a.test host.test # and why'],
    ['comments and blank lines around', '# x\r\n\r\n  # y\n \t\na.test host.test\n\n#z'],
    ['an explicit priority and port', 'A.TEST. HOST.test.:25/PRI=0'],
  ])('%s', (_, text) => {
    const [line] = outline(parseSmtpRoutes(text));
    expect(line).toMatch(/^a\.test -> 0: \S+ host\.test 25 mx$/);
  });

  test.each([
    ['b.test', 'b.test 25 mx'],
    ['b.test:2525', 'b.test 2525 mx'],
    ['[b.test]', 'b.test 25 address'],
    ['[b.test]:26', 'b.test 26 address'],
    ['192.0.2.7', '192.0.2.7 25 address'],
    ['192.0.2.7:587', '192.0.2.7 587 address'],
    ['[192.0.2.7]:587', '192.0.2.7 587 address'],
    ['2001:DB8::7', '2001:db8::7 25 address'],
    ['::1', '::1 25 address'],
    ['[2001:db8::7]', '2001:db8::7 25 address'],
    ['[IPv6:2001:db8::7]:587', '2001:db8::7 587 address'],
    ['BÜCHER.test', 'xn--bcher-kva.test 25 mx'],
  ])('a destination %s, whose relay has it as its id', (destination, relay) => {
    expect(outline(parseSmtpRoutes(`a.test ${destination}/pri=3`))).toEqual([`a.test -> 3: ${destination} ${relay}`]);
  });

  test('blanks around commas are optional', () => {
    expect(outline(parseSmtpRoutes('a.test b.test,c.test ,\td.test'))).toEqual([
      'a.test -> 0: b.test b.test 25 mx, c.test c.test 25 mx, d.test d.test 25 mx',
    ]);
  });

  test('keywords in any case', () => {
    expect(outline(parseSmtpRoutes('a.test usedns\nb.test /DEV/NULL\nall c.test'))).toEqual([
      'a.test -> mx',
      'b.test -> discard',
      'ALL -> 0: c.test c.test 25 mx',
    ]);
  });

  test('tiers by priority, relays of one priority as written', () => {
    expect(outline(parseSmtpRoutes('a.test z.test/pri=65535, y.test/pri=7, x.test, w.test/pri=7'))).toEqual([
      'a.test -> 0: x.test x.test 25 mx | 7: y.test y.test 25 mx, w.test w.test 25 mx | 65535: z.test z.test 25 mx',
    ]);
  });
});

test('one destination in several spellings is one relay, with the id written first', () => {
  const table = parseSmtpRoutes('a.test Host.test\nb.test host.TEST:25, [host.test]\nc.test host.test./pri=4');
  expect([...table.relays()].map(({ id }) => id)).toEqual(['Host.test', '[host.test]']);
});

test('equal destinations share their tiers, and still are routes of their own', () => {
  const table = parseSmtpRoutes('a.test h.test, i.test\nb.test h.test/pri=0,i.test\n');
  expect(table.rule('a.test')?.tiers).toBe(table.rule('b.test')?.tiers);
  expect([...table.rules()].map(({ name }) => name)).toEqual(['a.test', 'b.test']);
});

test('what no line matches goes by MX, or is rejected if asked for', () => {
  const plan = (options: object): object => new RouteResolver(parseSmtpRoutes('', options)).resolve('x@a.test');
  expect(plan({})).toEqual({ action: 'mx', match: 'OTHERWISE', domain: 'a.test' });
  expect(plan({ otherwise: 'reject' })).toEqual({ action: 'reject', reason: 'no route matches this domain' });
});

describe('a mistake is named by its line', () => {
  test.each([
    ['a.test', '"a.test" has no destination: add one, or USEDNS, or /dev/null'],
    ['a.test:', '"a.test" has no destination: add one, or USEDNS, or /dev/null'],
    ['a.test # b.test', '"a.test" has no destination: add one, or USEDNS, or /dev/null'],
    ['a.test:26 b.test', '"a.test:26" holds a ":": a domain has no port'],
    ['a..test b.test', '"a..test" has an empty label'],
    ['a#b.test c.test', '"a#b.test" holds a character that no domain name has, or is too long'],
    ['user@a.test b.test', '"user@a.test" is an address where a domain belongs'],
    ['192.0.2.1 b.test', '"192.0.2.1" is an address without brackets: write [192.0.2.1]'],
    ['ALL USEDNS', 'USEDNS is not allowed for ALL: remove the line, DNS is the default'],
    ['* usedns', 'USEDNS is not allowed for ALL: remove the line, DNS is the default'],
    ['a.test USEDNS, b.test', 'USEDNS stands alone: remove it, or everything else in the line'],
    ['a.test usedns/pri=1', 'usedns stands alone: remove it, or everything else in the line'],
    ['a.test b.test, /dev/null', '/dev/null stands alone: remove it, or everything else in the line'],
    ['a.test b.test/pri=65536', 'priority "65536" is not a number from 0 to 65535'],
    ['a.test b.test/pri=-1', 'priority "-1" is not a number from 0 to 65535'],
    ['a.test b.test/pri=', 'priority "" is not a number from 0 to 65535'],
    ['a.test b.test/prio=5', 'host "b.test/prio=5" holds a "/": only /pri= and a number may follow a host'],
    ['a.test b.test/pri=1:26', 'priority "1:26" is not a number from 0 to 65535'],
    ['a.test b.test:0', 'port "0" of "b.test" is not a number from 1 to 65535'],
    ['a.test b.test:65536', 'port "65536" of "b.test" is not a number from 1 to 65535'],
    ['a.test b.test:smtp', 'port "smtp" of "b.test" is not a number from 1 to 65535'],
    ['a.test b.test:', 'port "" of "b.test" is not a number from 1 to 65535'],
    ['a.test [b.test', 'host "[b.test" has a bracket that is not closed'],
    ['a.test [2001:db8::7]587', 'host "[2001:db8::7]587" is no IPv6 address; with a port it is written [address]:port'],
    ['a.test 2001:db8::zz', 'host "2001:db8::zz" is no IPv6 address; with a port it is written [address]:port'],
    ['a.test smtp://b.test', 'host "smtp://b.test" is a URL: give the bare name or IP address'],
    ['a.test smtp://u:secret@b.test', 'host is a URL: give the bare name or IP address'],
    ['a.test u:secret@b.test', 'host holds an "@": give the bare name or IP address'],
    ['a.test 1.2', 'host "1.2" is neither an IP address nor a name'],
    ['a.test b.test c.test', 'host "b.test c.test" holds white space: separate destinations by commas'],
    [
      'a.test b.test\rc.test d.test',
      'host "b.test\\rc.test d.test" holds white space: separate destinations by commas',
    ],
    ['a.test b.test,', 'a destination is missing beside a comma: add it or remove the comma'],
    ['a.test b.test,,c.test', 'a destination is missing beside a comma: add it or remove the comma'],
    ['a.test b.test, B.test:25/pri=9', 'destination "B.test:25/pri=9" stands twice in this line: remove one'],
  ])('%j', (line, problem) => {
    expect(problemsOf(() => parseSmtpRoutes(`# the first line\n${line}`))).toEqual([`line 2: ${problem}`]);
  });

  test('all at once, and duplicates with the line of the first', () => {
    const text =
      'a.test b.test:x\nc.test d.test\n\nA.test. e.test\n.c.test f.test\nC.TEST g.test\n*.c.test h.test/pri=x\nC.test i.test';
    expect(problemsOf(() => parseSmtpRoutes(text))).toEqual([
      'line 1: port "x" of "b.test" is not a number from 1 to 65535',
      'line 4: "A.test." has a route already, at line 1: make one of the two',
      'line 6: "C.TEST" has a route already, at line 2: make one of the two',
      'line 7: priority "x" is not a number from 0 to 65535',
      'line 7: "*.c.test" has a route already, at line 5: make one of the two',
      'line 8: "C.test" has a route already, at line 2: make one of the two',
    ]);
  });

  test('and so are wrong arguments', () => {
    expect(problemsOf(() => parseSmtpRoutes(undefined as unknown as string))).toEqual([
      'text: must be a string, got undefined',
    ]);
    expect(problemsOf(() => parseSmtpRoutes('', { otherwise: 'bounce', other: 1 } as never))).toEqual([
      'options.otherwise: must be one of mx, reject; got "bounce"',
      'options.other: unknown option',
    ]);
  });
});
