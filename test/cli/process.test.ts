/**
 * The command as a process, built as it is published: what only a shell and a kernel can show.
 */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { startSmtpServer } from 'smtp-routes/testing';
import { root } from '../../.config/subpaths.js';
import { Files } from './run-command.js';

const files = new Files();
const table = files.write('routes.txt', 'example.com a.example.net, b.example.net\nALL c.example.net, d.example.net\n');
let folder: string;
let main: string;

beforeAll(async () => {
  // Below the repository, so that its dependencies are found.
  folder = mkdtempSync(join(root, 'test', 'cli', '.built-'));
  // By a name that the compiler does not follow: tsdown's types want optional packages of its own.
  const name = 'tsdown';
  const { build } = (await import(name)) as { build: (options: object) => Promise<unknown> };
  const entry = { 'cli/main': join(root, 'src/cli/main.ts') };
  await build({
    config: false,
    cwd: root,
    entry,
    outDir: folder,
    format: 'esm',
    target: 'node20.19',
    dts: false,
    hash: false,
    logLevel: 'error',
  });
  main = join(folder, 'cli/main.mjs');
}, 60_000);

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  files.remove();
});

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function command(
  args: readonly string[],
  options: { shell?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Ended> {
  const env = { ...process.env, NODE_OPTIONS: '', ...options.env };
  const { shell } = options;
  const [file, all] =
    shell === undefined
      ? [process.execPath, [main, ...args]]
      : ['bash', ['-c', shell, 'bash', process.execPath, main, ...args]];
  try {
    return { code: 0, ...(await promisify(execFile)(file, all, { env, timeout: 30_000, maxBuffer: 2 ** 28 })) };
  } catch (error) {
    return error as Ended;
  }
}

test('exit codes, streams, version', async () => {
  expect(await command(['check', table])).toMatchObject({
    code: 0,
    stdout: `${table}: 2 routes, 4 relays: ok\n`,
    stderr: '',
  });
  expect(await command(['check', files.write('bad.txt', 'a..b x.test')])).toMatchObject({ code: 1, stdout: '' });
  expect(await command(['check', '--nonsense'])).toMatchObject({ code: 2, stdout: '' });
  expect(await command(['--version'])).toMatchObject({ code: 0, stdout: `${manifest.version}\n` });
});

describe('bad input ends in a line, without a stack trace', () => {
  test.each<[string, string, number, RegExp]>([
    ['a device without end', 'exec "$1" "$2" check /dev/zero', 1, /^\/dev\/zero: error: is binary/],
    ['noise', 'head -c 100000 /dev/urandom | "$1" "$2" check -', 1, /^standard input.* error: /],
    ['no input at all', '"$1" "$2" check - < /dev/null', 1, /^standard input: error: is empty\n$/],
    ['standard input that is closed', '"$1" "$2" check - <&-', 1, /^standard input: error: is empty\n$|^smtp-routes: /],
    ['what is no file', '"$1" "$2" graph /', 2, /^smtp-routes: \/ is a directory/],
    ['the command itself as a table', '"$1" "$2" check "$1"', 1, /is binary/],
    [
      'a picture of nothing',
      '"$1" "$2" graph --format svg nowhere.txt',
      2,
      /^smtp-routes: nowhere.txt: no such file\n/,
    ],
  ])('%s', async (_name, shell, code, message) => {
    const ended = await command([], { shell });
    expect(ended.stderr).toMatch(message);
    expect(ended.code).toBe(code);
    expect(ended.stderr).not.toMatch(/^ +at /m);
    expect(ended.stdout).toBe('');
  });
});

test('a reader that has seen enough: a quiet end', async () => {
  const long = files.write(
    'long.txt',
    Array.from({ length: 30_000 }, (_, i) => `c${String(i)}.test h${String(i)}.test, g.test\n`).join(''),
  );
  const ended = await command(['convert', '--to', 'json', long], {
    shell: '"$1" "$2" "${@:3}" | head -n 1; echo "${PIPESTATUS[0]}"',
  });
  expect(ended).toMatchObject({ code: 0, stdout: '{\n0\n', stderr: '' });
});

test('Ctrl-C: 130, and nothing more', async () => {
  const server = await startSmtpServer({ script: 'stall@greeting' });
  const routes = files.write(
    'stalls.json',
    JSON.stringify({
      relays: { a: { host: server.host, port: server.port } },
      routes: [{ match: 'ALL', tiers: [['a']] }],
    }),
  );
  for (const args of [
    ['probe', routes],
    ['check', '-'],
  ]) {
    const child = spawn(process.execPath, [main, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += String(chunk)));
    const ended = new Promise((resolve) => child.once('close', (code) => resolve(code)));
    if (args[0] === 'probe') await server.until(({ connections }) => connections > 0);
    // Reading standard input is under way once a first part was taken.
    else await new Promise<void>((resolve) => child.stdin.write('x'.repeat(2 ** 22), () => resolve()));
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect(said).toBe('');
  }
  await server.close();
});

const noScript = spawnSync('script', ['--version']).error !== undefined;

test.skipIf(noScript)(
  `colours on a terminal, unless NO_COLOR${noScript ? ' (skipped: there is no script(1))' : ''}`,
  async () => {
    const one = files.write('one.txt', 'ALL 192.0.2.1\n');
    const onTerminal = (env: NodeJS.ProcessEnv): Promise<Ended> =>
      command([one], {
        shell: 'script -qec "\\"$1\\" \\"$2\\" check \\"$3\\"" /dev/null < /dev/null',
        env: { TERM: 'xterm', ...env },
      });
    expect((await onTerminal({})).stdout).toContain('\u001b[33mwarning:');
    expect((await onTerminal({ NO_COLOR: '1' })).stdout).not.toContain('\u001b[');
    expect((await onTerminal({ TERM: 'dumb' })).stdout).not.toContain('\u001b[');
  },
);

describe('speed', () => {
  const lines = (count: number): string =>
    Array.from(
      { length: count },
      (_, i) =>
        `customer${String(i)}.example${String(i % 977)}.com mx${String(i % 500)}a.example.net, mx${String(i % 500)}b.example.net/pri=10\n`,
    ).join('');

  async function msOf(args: readonly string[]): Promise<number> {
    const times: number[] = [];
    for (let i = 0; i < 3; i++) {
      const startedAt = performance.now();
      expect((await command(args)).code).toBe(0);
      times.push(performance.now() - startedAt);
    }
    return Math.min(...times);
  }

  // Three times what it takes on a quiet machine of 2 cores: the promise itself is in the README.
  test('check of 40,000 routes, and explain', { timeout: 60_000 }, async () => {
    const large = files.write('40000.txt', lines(40_000));
    const node = await msOf(['--version']);
    expect((await msOf(['check', large])) - node).toBeLessThan(1500);
    expect((await msOf(['explain', table, 'user@example.com'])) - node).toBeLessThan(450);
  });
});
