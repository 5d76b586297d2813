import { afterAll, describe, expect, test } from 'vitest';
import { Files, runCommand } from './run-command.js';

const files = new Files();
afterAll(() => files.remove());

const check = (text: string, ...options: string[]) => runCommand(['check', ...options, '-'], { input: text });

/** What was found in a text, without the name of the file. */
async function found(text: string): Promise<string[]> {
  const { err } = await check(text);
  return err
    .replaceAll('standard input', 'f')
    .trimEnd()
    .split('\n')
    .filter((line) => line !== '');
}

const TWO = 'a.example.net, b.example.net';

describe('problems', () => {
  test('each with its line, exit code 1', async () => {
    const { code, out, err } = await check(`ok.test ${TWO}\nbad..test ${TWO}\nok.test 192.0.2.1/pri=x\n`);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err.split('\n')).toEqual([
      'standard input:2: error: "bad..test" has an empty label',
      'standard input:3: error: priority "x" is not a number from 0 to 65535',
      'standard input:3: error: "ok.test" has a route already, at line 1: make one of the two',
      '',
    ]);
  });

  test('of a JSON definition: the line, the path, and never a credential', async () => {
    const text = `{
  "relays": {
    "eu1": { "host": "smtp1.example.net", "port": 99999,
             "auth": { "user": "app", "pass": "hunter2" } },
    "a.example.net": { "host": "a.example.net",
      "prot": 25 },
    "bare": "smtps://app:hunter2@mail.example.net"
  },
  "routes": [
    { "match": "example.com",
      "tiers": [["eu1"], ["eu2"]] }
  ]
}`;
    const { code, err } = await check(text);
    expect(code).toBe(1);
    expect(err).not.toContain('hunter2');
    expect(err.split('\n')).toEqual([
      'standard input:3: error: relays.eu1.port: must be an integer from 1 to 65535, got 99999',
      'standard input:6: error: relays["a.example.net"].prot: unknown option; did you mean "port"?',
      'standard input:7: error: relays.bare: must be an object such as { host, port } or { transport }',
      'standard input:11: error: routes[0].tiers[1][0]: no relay is called "eu2"; did you mean "eu1"?',
      '',
    ]);
  });

  test.each([
    ['{ "relays": {},\n "routes": [', 2, 'is no JSON: expected a value, but the file ends'],
    ['{ "relays": {},\n "routes": [],\n}', 3, 'is no JSON: a comma stands before the end: remove it'],
    ['{\n // mine\n "relays": {} }', 2, 'is no JSON: expected a name in double quotes: JSON has no comments'],
    ['{ "auth": "secret" "x" }', 1, 'is no JSON: expected "," or "}"'],
    ['{ "relays": {},\n "relays": {}, "routes": [] }', 2, '"relays" stands twice in this object: remove one'],
    [`{ "relays": ${'['.repeat(5000)}`, 1, 'is no JSON: is nested too deeply'],
  ])('%j', async (text, line, message) => {
    expect((await check(text)).err).toBe(`standard input:${String(line)}: error: ${message}\n`);
  });

  test('a long list is cut, and whole in JSON', async () => {
    const text = Array.from({ length: 120 }, (_, i) => `${i % 3 === 0 ? 'good' : 'bad.'}.${String(i)} x.test\n`).join(
      '',
    );
    expect((await found(text)).at(-1)).toBe('… and 30 more (all with --json)');
    const { out } = await check(text, '--json');
    expect((JSON.parse(out) as { problems: unknown[] }).problems).toHaveLength(80);
  });

  test('what is another format is told so', async () => {
    expect((await found('example.com smtp:[mail.example.net]:25\n'))[0]).toContain('--from postfix-transport');
    expect((await found('export const routes = defineRoutes({\n'))[0]).toContain('looks like code');
    expect((await found('key: { a }\nlist:\n  - one\n  - two\n'))[0]).toContain('is it a table of routes?');
    expect((await found('<!doctype html>\n<html>\n'))[0]).toContain('markup');
  });
});

describe('warnings', () => {
  test('a sound table has none', async () => {
    const { code, out, err } = await check(`example.com ${TWO}\nALL c.example.net, d.example.net\n`);
    expect({ code, out, err }).toEqual({ code: 0, out: 'standard input: 2 routes, 4 relays: ok\n', err: '' });
  });

  test.each<[string, string, string]>([
    [
      'a rule that changes nothing',
      `a.example.com ${TWO}\n.example.com ${TWO}\nALL x.test,y.test`,
      'f:1: warning: the route for a.example.com changes nothing: .example.com already says the same',
    ],
    [
      'MX where MX is the default',
      `example.com USEDNS\nother.test ${TWO}`,
      'f:1: warning: the route for example.com changes nothing: without a route for ALL its mail goes to its MX anyway',
    ],
    ['no ALL', `example.com ${TWO}`, 'f: warning: no route for ALL: mail for all other domains goes to their own MX'],
    [
      'one host',
      `one.test [a.example.net]\nALL ${TWO}`,
      'f:1: warning: [a.example.net] is the only host for one.test: when it is down, the mail waits',
    ],
    [
      'one host of many',
      `one.test 192.0.2.1\ntwo.test 192.0.2.1\nthree.test 192.0.2.1\nALL ${TWO}`,
      'f:1: warning: 192.0.2.1 is the only host for one.test (and for 2 more matches): when it is down, the mail waits',
    ],
    [
      'one host under two names',
      `example.com [a.example.net], a.example.net\nALL ${TWO}`,
      'f:1: warning: relays [a.example.net] and a.example.net are one host, a.example.net port 25: failing over from one to the other helps nobody',
    ],
    [
      'a forgotten priority',
      `example.com a.test/pri=10, b.test/pri=20, c.test\nALL ${TWO}`,
      'f:1: warning: c.test has no /pri= and so comes first: is that meant?',
    ],
    [
      'the wrong way round',
      `example.com a.test/pri=10, b.test/pri=0\nALL ${TWO}`,
      'f:1: warning: b.test comes before what is written before it (/pri=0): is 0 the first?',
    ],
    [
      'one priority for all',
      `example.com a.test/pri=5, b.test/pri=5\nALL ${TWO}`,
      'f:1: warning: /pri=5 on every destination has no effect: was one of them to come first?',
    ],
    [
      'a priority alone',
      `ALL ${TWO}\nexample.com a.test/pri=5`,
      'f:2: warning: /pri=5 has no effect on the only destination',
    ],
  ])('%s', async (_name, text, warning) => {
    expect(await found(text)).toContain(warning);
  });

  test('of a JSON definition: unused relays and an `otherwise` that is never reached, with their lines', async () => {
    const text = JSON.stringify(
      {
        relays: {
          a: { host: 'a.test' },
          b: { host: 'b.test' },
          spare: { host: 'spare.test' },
          twin: { host: 'A.test' },
        },
        routes: [
          { match: ['x.test', '.x.test'], tiers: [['a', 'b']] },
          { match: 'ALL', tiers: [['b', 'twin']] },
        ],
        otherwise: 'reject',
      },
      undefined,
      1,
    );
    const lineOf = (part: string): string => String(text.slice(0, text.indexOf(part)).split('\n').length);
    expect(await found(text)).toEqual([
      `f:${lineOf('"spare"')}: warning: relay spare is never used: name it in a route, or remove it`,
      `f:${lineOf('"twin"')}: warning: relays a and twin are one host, A.test port 587: failing over from one to the other helps nobody`,
      `f:${lineOf('"otherwise"')}: warning: otherwise is never reached, since a route matches ALL`,
    ]);
  });

  test('alone they do not fail, unless --strict', async () => {
    const text = `example.com ${TWO}`;
    expect(await check(text)).toMatchObject({ code: 0 });
    expect(await check(text, '--strict')).toMatchObject({ code: 1 });
    const { code, out } = await check(text, '--strict', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      ok: false,
      routes: 1,
      warnings: [{ message: expect.stringContaining('ALL') as string }],
    });
  });
});

describe('files', () => {
  test.each<[string, Uint8Array | string, number, string]>([
    ['empty', '', 1, 'is empty'],
    ['comments alone', '# nothing\n\n', 1, 'holds no route: a line is "domain destination[, destination]"'],
    ['binary', Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 1]), 1, 'is binary, not text (a zero byte at offset 4)'],
    ['UTF-16', Buffer.from('\ufeffexample.com a.test', 'utf16le'), 1, 'is UTF-16: save it as UTF-8'],
    [
      'Latin-1',
      Buffer.from('# Zeile\n# f\xfcr\nexample.com a.test', 'latin1'),
      1,
      'holds bytes that are no UTF-8: save the file as UTF-8',
    ],
  ])('%s', async (name, content, code, message) => {
    const ran = await runCommand(['check', files.write(`${name.replace(' ', '-')}.txt`, content)]);
    expect(ran).toMatchObject({ code, out: '' });
    expect(ran.err).toContain(message);
  });

  test('CRLF, tabs, a byte order mark and a colon are all the same table', async () => {
    const { code, out } = await check(
      `\ufeffexample.com:\ta.example.net,\tb.example.net\r\n\r\nALL\t \tc.test, d.test\r\n`,
    );
    expect({ code, out }).toEqual({ code: 0, out: 'standard input: 2 routes, 4 relays: ok\n' });
    const json = `\ufeff{\r\n\t"relays": { "a": { "host": "a.test" } },\r\n\t"routes": [{ "match": "ALL", "tiers": [["b"]] }]\r\n}`;
    expect((await check(json)).err).toContain('standard input:3: error: routes[0].tiers[0][0]: no relay is called "b"');
  });

  test.each([
    [['check', 'no-such-file'], 'no-such-file: no such file'],
    [['check', files.folder], `${files.folder} is a directory: name a file in it`],
    [['check'], 'which file? Give one, or - for standard input'],
    [['check', 'a', 'b'], 'one file at a time: what is "b"?'],
    [['check', '--stict', '-'], 'there is no option --stict; did you mean "strict"?'],
    [['chekc', '-'], 'there is no command "chekc"; did you mean "check"?'],
    [['--verion'], 'there is no option --verion'],
    [['graph', '--format', 'png', '-'], '--format must be svg or mermaid, got "png"'],
    [['simulate', '--messages', 'many', '-'], '--messages must be a number from 1 to 100000, got "many"'],
    [['simulate', '--reply', '450@rcpt', '-'], '--reply must be RELAY=LINE'],
    [['simulate', '--reply', 'a=450@rpct', '-'], '--reply a=450@rpct:'],
    [['explain', '-'], 'give a file and at least one address or domain'],
    [['explain', '--dns', '-', 'x.test'], '--dns: this build has no DNS'],
    [['convert', '-'], '--to is missing: json or asyncos'],
    [['probe', '--timeout', '0', '-'], '--timeout must be a number from 1 to 600'],
  ])('%j is wrong use', async (args, message) => {
    const { code, out, err } = await runCommand(args, { input: 'ALL a.test' });
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(`smtp-routes: ${message}`);
    expect(err).toMatch(/\nTry: smtp-routes (?:\w+ )?--help\n$/);
  });
});

test('colours are for terminals', async () => {
  const esc = '\u001b[';
  const ran = await runCommand(['check', '-'], { input: 'ALL 192.0.2.1', terminal: true });
  expect(ran.err).toContain(esc);
  expect((await check('ALL 192.0.2.1')).err).not.toContain(esc);
});
