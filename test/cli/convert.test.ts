import { spawnSync } from 'node:child_process';
import { delimiter } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { defineRoutes, parseSmtpRoutes, RouteResolver, type RouteTable, type RoutesDefinition } from 'smtp-routes';
import { assertRoute, describeRoutes } from 'smtp-routes/testing';
import { Files, runCommand } from './run-command.js';

const files = new Files();
afterAll(() => files.remove());

const POSTFIX = `# transport(5), as people have it
example.com             smtp:[exchange1.example.com]:2525
.example.com            relay:gateway.example.net
Sub.Example.com         smtp:
list.test               smtp:[a.example.net],[b.example.net]:587
      [c.example.net]
v6.test                 smtp:[2001:db8::7]:25
named.test              smtp:[mx.example.net]:submission
spam.test               discard:silently
user@example.com        smtp:[special.example.net]
refused.test            error:5.1.1 no such domain
later.test              retry:4.7.1 come back
cyrus.test              lmtp:unix:/var/lib/imap/lmtp
uucp.test               uucp:host
odd.test                smtp.example.net
example.com             smtp:[too-late.example.net]
*.wild.test             smtp:[x.example.net]
unnamed.test            :[default.example.net]
*                       smtp:smarthost.example.net
`;

const convert = (input: string, ...args: string[]) => runCommand(['convert', ...args, '-'], { input });

const UNSAID = [
  '10: not converted: user@example.com: is for a single address: routes match domains',
  '11: not converted: refused.test: error: refuses the mail with a text of its own, which no route does',
  '12: not converted: later.test: retry: refuses the mail with a text of its own, which no route does',
  '13: not converted: cyrus.test: lmtp: is another protocol, which relays do not speak yet',
  '14: not converted: uucp.test: transport uucp: is defined in master.cf, and nothing says that it is SMTP',
  '15: not converted: odd.test: has no ":" in its result, so Postfix takes all of it for a transport of master.cf',
  '16: not converted: example.com: stands on line 2 already, and Postfix takes the first',
  '17: not converted: *.wild.test: never matches in Postfix, where "*" stands alone: write .domain',
];

describe('a transport table of Postfix', () => {
  test('to AsyncOS text, with a list of what cannot be said', async () => {
    const { code, out, err } = await convert(POSTFIX, '--from', 'postfix-transport', '--to', 'asyncos');
    expect(code).toBe(1);
    expect(err.trimEnd().split('\n').slice(0, -1)).toEqual(UNSAID.map((line) => `standard input:${line}`));
    expect(err).toContain('8 things could not be said in asyncos');
    const table = parseSmtpRoutes(out);
    assertRoute(table, 'a@example.com', '[exchange1.example.com]:2525');
    assertRoute(table, 'a@deep.below.example.com', 'gateway.example.net');
    assertRoute(table, 'a@sub.example.com', 'mx');
    assertRoute(table, 'list.test', '[a.example.net] > [b.example.net]:587 > [c.example.net]');
    assertRoute(table, 'v6.test', '2001:db8::7');
    assertRoute(table, 'named.test', '[mx.example.net]:587');
    assertRoute(table, 'spam.test', 'discard');
    assertRoute(table, 'unnamed.test', '[default.example.net]');
    assertRoute(table, 'elsewhere.test', 'smarthost.example.net');
  });

  test('to JSON, the same table', async () => {
    const [text, json] = await Promise.all(
      ['asyncos', 'json'].map((to) => convert(POSTFIX, '--from', 'postfix-transport', '--to', to)),
    );
    expect(describeRoutes(defineRoutes(JSON.parse(json!.out) as RoutesDefinition))).toBe(
      describeRoutes(parseSmtpRoutes(text!.out)),
    );
  });

  test('parent domains that match their subdomains', async () => {
    const table = 'example.com smtp:[a.test]\n.other.test smtp:[b.test]\n* smtp:\n';
    const { code, out, err } = await convert(
      table,
      '--from',
      'postfix-transport',
      '--parent-domain-matches',
      '--to',
      'asyncos',
    );
    expect(code).toBe(1);
    expect(err).toContain('.other.test: never matches where parent domains match their subdomains');
    assertRoute(parseSmtpRoutes(out), 'x.y.example.com', '[a.test]');
    assertRoute(parseSmtpRoutes(out), 'x.other.test', 'mx');
  });

  test('what says nothing is a problem, and what is said whole is none', async () => {
    expect(await convert('# nothing\n', '--from', 'postfix-transport', '--to', 'json')).toMatchObject({
      code: 1,
      out: '',
    });
    expect(
      await convert('example.com smtp:[a.test]\n* smtp:\n', '--from', 'postfix-transport', '--to', 'asyncos'),
    ).toEqual({
      code: 0,
      out: 'example.com              [a.test]\n',
      err: '',
    });
  });

  test('result and list as one JSON value', async () => {
    const { out } = await convert(POSTFIX, '--from', 'postfix-transport', '--to', 'json', '--json');
    const value = JSON.parse(out) as { ok: boolean; result: RoutesDefinition; unsaid: { line: number }[] };
    expect(value.ok).toBe(false);
    expect(value.unsaid.map(({ line }) => line)).toEqual([10, 11, 12, 13, 14, 15, 16, 17]);
    expect(defineRoutes(value.result).size).toBe(9);
  });
});

/** `postmap` is in the system's folder for administrators. */
const env = { ...process.env, PATH: [process.env['PATH'], '/usr/sbin', '/sbin'].join(delimiter) };
const noPostmap = spawnSync('postmap', ['-q', 'x', 'inline:{x=y}'], { env }).error !== undefined;

/**
 * What Postfix would find: `postmap` reads the table, with its own idea of comments, continued lines,
 * case and doubles; the keys are asked in the order of transport(5).
 */
function postfixAnswers(file: string, domains: readonly string[]): (string | undefined)[] {
  const keysOf = (domain: string): string[] => {
    const parents = [...domain.matchAll(/\./g)].map(({ index }) => domain.slice(index));
    return [domain, ...parents, '*'];
  };
  const input = `${[...new Set(domains.flatMap(keysOf))].join('\n')}\n`;
  const { stdout } = spawnSync('postmap', ['-q', '-', `texthash:${file}`], { env, input, encoding: 'utf8' });
  const answers = new Map(
    stdout.split('\n').flatMap((line) => (line.includes('\t') ? [line.split('\t', 2) as [string, string]] : [])),
  );
  return domains.map((domain) => keysOf(domain).flatMap((key) => answers.get(key) ?? [])[0]);
}

/** A plan in Postfix' words. */
function asPostfix(table: RouteTable, domain: string): string {
  const plan = new RouteResolver(table).resolve(domain);
  if (plan.action !== 'relay') return plan.action;
  return plan.tiers
    .flatMap(({ relays }) =>
      relays.map(({ host, port, lookup }) => `${lookup === 'mx' ? host : `[${host}]`}:${String(port)}`),
    )
    .join(' ');
}

/** The same of a line of the table. */
function readAnswer(answer: string | undefined): string {
  if (answer === undefined || answer === 'smtp:') return 'mx';
  if (answer.startsWith('discard:')) return 'discard';
  const list = answer.replace(/^(?:smtp|relay)?:/, '').split(/[\s,]+/);
  return list
    .map((one) => one.replace(/:submission$/, ':587'))
    .map((one) => (/(?:\]|^[^[\]:]+):\d+$/.test(one) ? one : `${one}:25`))
    .join(' ');
}

test.skipIf(noPostmap)(
  `domains go where postmap says${noPostmap ? ' (skipped: postmap of Postfix is not installed)' : ''}`,
  async () => {
    const unsayable = /^(?:user@|refused|later|cyrus|uucp|odd|\*\.wild)/;
    const sayable = POSTFIX.split('\n')
      .filter((line) => !unsayable.test(line))
      .join('\n');
    const file = files.write('transport', sayable);
    const { out } = await runCommand(['convert', '--from', 'postfix-transport', '--to', 'json', file]);
    const table = defineRoutes(JSON.parse(out) as RoutesDefinition);
    const domains = [
      'example.com',
      'a.example.com',
      'x.a.example.com',
      'sub.example.com',
      'x.sub.example.com',
      'list.test',
      'x.list.test',
      'v6.test',
      'named.test',
      'spam.test',
      'unnamed.test',
      'elsewhere.test',
      'com',
      'notexample.com',
    ];
    expect(domains.map((domain) => `${domain} ${asPostfix(table, domain)}`)).toEqual(
      postfixAnswers(file, domains).map((answer, i) => `${domains[i] ?? ''} ${readAnswer(answer)}`),
    );
  },
);

describe('our own forms', () => {
  const TEXT = 'example.com a.example.net, [b.example.net]:2525/pri=10\n.example.com USEDNS\nspam.test /dev/null\n';

  test('AsyncOS text to JSON and back', async () => {
    const json = await convert(TEXT, '--to', 'json');
    expect(json).toMatchObject({ code: 0, err: '' });
    const back = await convert(json.out, '--to', 'asyncos');
    expect(back).toMatchObject({ code: 0, err: '' });
    const answers = (table: RouteTable): string[] =>
      ['example.com', 'x.example.com', 'spam.test', 'y.test'].map((domain) => asPostfix(table, domain));
    expect(answers(parseSmtpRoutes(back.out))).toEqual(answers(parseSmtpRoutes(TEXT)));
  });

  test('what text cannot say is listed by line, and nothing is written', async () => {
    const json = JSON.stringify(
      {
        relays: { a: { host: 'a.test', auth: { user: 'u', pass: 'hunter2' } }, b: { host: 'b.test' } },
        routes: [{ match: 'x.test', tiers: [[{ relay: 'a', weight: 3 }, 'b']] }],
      },
      undefined,
      1,
    );
    const { code, out, err } = await convert(json, '--to', 'asyncos');
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).not.toContain('hunter2');
    expect(err.split('\n')).toEqual([
      'standard input:5: not converted: relays.a.auth: text has no word for this option',
      'standard input:15: not converted: routes[0]: text has no word for the weight of relay "a"',
      '2 things could not be said in asyncos: see to the mail concerned before you use the result',
      '',
    ]);
    expect(await convert(json, '--to', 'json')).toMatchObject({ code: 2, out: '' });
  });

  test('a form that the file does not have', async () => {
    expect(await convert(TEXT, '--from', 'json', '--to', 'asyncos')).toMatchObject({
      code: 2,
      err: expect.stringContaining('is AsyncOS text, not json') as string,
    });
  });
});
