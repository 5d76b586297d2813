/**
 * The README is true: its code compiles and runs, and its tables are those of the code.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bounceProfile, VERDICTS, type Verdict } from 'smtp-routes';
import { startSmtpServer, type SmtpTestServer } from 'smtp-routes/testing';
import { retryDelayMs } from '../../src/core/bounce-profile.js';
import { root, runTypeScript } from './run-typescript.js';

const readme = readFileSync(join(root, 'README.md'), 'utf8');
const fences = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1] ?? '');

/** What a fence prints, by a line of code that only it has. */
const PRINTS: readonly [code: string, output: string][] = [
  ["// 'delivered', although", 'delivered\n'],
  ['// was: createTransport', "[ 'user@example.com' ] 2\n"],
  ['// .example.com', '.example.com\n'],
  ["'exa mple.com'", 'relays.eu1.port must be an integer from 1 to 65535, got 99999\n'],
  ['exported by the appliance', '192.168.1.10'],
  ['.explain(', '.example.com is the longest suffix'],
  ['assertRoute(', ' rejected\n'],
  ["id: 'invoice-4711'", 'invoice-4711 delivered\n'],
  ['ScriptedTransport', "[ 'main connect', 'backup final-reply' ]\n"],
];

let folder: string;
let files: string[];
let full: SmtpTestServer;
let good: SmtpTestServer;

beforeAll(async () => {
  full = await startSmtpServer({ script: '431@greeting exchange1.example.com ESMTP\nMail system full' });
  good = await startSmtpServer();
  folder = await mkdtemp(join(root, 'test', 'docs', '.readme-'));
  files = await Promise.all(
    fences.map(async (code, i) => {
      const file = join(folder, `fence-${String(i)}.mts`);
      await writeFile(file, onLoopback(code));
      return file;
    }),
  );
});

afterAll(async () => {
  await rm(folder, { recursive: true });
  await full.close();
  await good.close();
});

/** The technote's addresses, played by servers on loopback. */
function onLoopback(code: string): string {
  return code
    .replaceAll("host: '192.168.1.10', port: 25", `host: '127.0.0.1', port: ${String(full.port)}`)
    .replaceAll("host: '192.168.1.20', port: 25", `host: '127.0.0.1', port: ${String(good.port)}`);
}

describe('the code in the README', () => {
  test('compiles under the strict options of this project', () => {
    const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path)) as {
      config: { compilerOptions: object };
    };
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
    const program = ts.createProgram(files, { ...options, isolatedDeclarations: false, declaration: false });
    const problems = files.flatMap((file) => ts.getPreEmitDiagnostics(program, program.getSourceFile(file)));
    expect(problems.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).toEqual([]);
  });

  test('runs, and prints what it says', { timeout: 60_000 }, async () => {
    const printed = await Promise.all(files.map(async (file) => (await runTypeScript(file)).stdout));
    for (const [code, output] of PRINTS) {
      const at = fences.findIndex((fence) => fence.includes(code));
      expect(at, `a fence with ${code}`).toBeGreaterThanOrEqual(0);
      expect(printed[at]).toContain(output);
    }
    expect(good.messages.length, 'the first example has really sent its mail').toBeGreaterThan(0);
  });
});

test('the verdict table in the README is the one in the code', () => {
  const rows = [...readme.matchAll(/^\| `(connect|session|envelope|data|final-reply)` .*$/gm)];
  const table = rows.map(([line, phase]) => [
    phase,
    line
      .split('|')
      .slice(2, 7)
      .map((cell) => cell.trim()),
  ]);
  const say = ({ action, cool }: Verdict): string => `${action.replace('-relay', '')}${cool ? ', cool' : ''}`;
  expect(table).toEqual(
    Object.entries(VERDICTS).map(([phase, row]) => [
      phase,
      [row['421'], row['4xx'], row['5xx'], row['out-of-place'], row.lost].map(say),
    ]),
  );
});

test('the delays in the README are those of the default profile', () => {
  const ms = (text: string): number =>
    [...text.matchAll(/(\d+) (min|h)/g)].reduce(
      (sum, [, n, unit]) => sum + Number(n) * (unit === 'h' ? 60 : 1) * 60_000,
      0,
    );
  const profile = bounceProfile();
  const rows = [...readme.matchAll(/^\| (\d+)(?: to (\d+))?(, last)? +\| (.*?) +\| (.*?) +\|$/gm)];
  let at = 0;
  let retry = 0;
  for (const [, from, to = from, last, wait = '', since = ''] of rows) {
    expect(Number(from)).toBe(retry + 1);
    for (; retry < Number(to); retry++) {
      const delay = retryDelayMs(profile, retry + 1, 0.5);
      if (last) expect(at + delay, 'the last wait is cut').toBeGreaterThanOrEqual(profile.maxQueueTimeMs);
      else expect(ms(wait)).toBe(delay);
      at += Math.min(delay, profile.maxQueueTimeMs - at);
    }
    if (since !== '') expect(ms(since)).toBe(at);
  }
  expect([rows.length, at]).toEqual([8, profile.maxQueueTimeMs]);
  expect(retry).toBeLessThan(profile.maxRetries);
});
