/**
 * The tarball in an empty app: compiled against, imported, required and run under Jest, each time
 * delivering a message over loopback sockets. Needs `dist/`, and a registry for the app's packages.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { lockedVersion, pack, run } from './commands.js';

const JEST = 'jest@30.5.2';
/** The examples for people who test their own routes. */
const EXAMPLES = new URL('../../examples/testing/', import.meta.url);

const DELIVERED = { recipient: 'user@example.com', status: 'delivered', relay: 'b' };

let app: string;

beforeAll(async () => {
  app = mkdtempSync(join(tmpdir(), 'smtp-routes-app-'));
  writeFileSync(join(app, 'package.json'), JSON.stringify({ name: 'app', version: '1.0.0', private: true }));
  const { tarball } = await pack(app);
  const locked = ['nodemailer', 'typescript', '@types/node', 'vitest', 'tsx'].map(
    (name) => `${name}@${lockedVersion(name)}`,
  );
  const quiet = ['--no-audit', '--no-fund', '--ignore-scripts', '--prefix', app];
  await run(app, ['npm', 'install', ...quiet, tarball, ...locked, JEST]);
  for (const name of ['consumer.mts', 'consumer.cts'])
    copyFileSync(new URL('consumer.ts', import.meta.url), join(app, name));
  await run(app, [
    ...[
      'node',
      'node_modules/typescript/bin/tsc',
      '--strict',
      '--exactOptionalPropertyTypes',
      '--skipLibCheck',
      'false',
    ],
    ...['--module', 'nodenext', '--target', 'es2023', '--types', 'node', 'consumer.mts', 'consumer.cts'],
  ]);
});

afterAll(() => rmSync(app, { recursive: true, force: true }));

async function outcomeOf(script: readonly string[], env?: NodeJS.ProcessEnv): Promise<unknown> {
  const output = await run(app, ['node', ...script], env);
  return (JSON.parse(output) as { recipients: unknown[] }).recipients;
}

const MODULE = `import { routeOneMessage } from './consumer.mjs';
  console.log(JSON.stringify(await routeOneMessage()));`;

const SCRIPT = `require('./consumer.cjs').routeOneMessage().then((outcome) => console.log(JSON.stringify(outcome)));`;

it('routes a message from an ES module', async () => {
  expect(await outcomeOf(['--input-type=module', '--eval', MODULE])).toEqual([expect.objectContaining(DELIVERED)]);
});

it('routes a message from CommonJS', async () => {
  expect(await outcomeOf(['--eval', SCRIPT])).toEqual([expect.objectContaining(DELIVERED)]);
});

it('routes a message from CommonJS that cannot require ES modules', async () => {
  const env = { NODE_OPTIONS: '--no-experimental-require-module' };
  expect(await outcomeOf(['--eval', SCRIPT], env)).toEqual([expect.objectContaining(DELIVERED)]);
});

it('routes a message under Jest', async () => {
  const test = `const { routeOneMessage } = require('./consumer.cjs');
    test('delivers', async () => {
      expect((await routeOneMessage()).recipients).toEqual([expect.objectContaining(${JSON.stringify(DELIVERED)})]);
    });`;
  writeFileSync(join(app, 'consumer.test.cjs'), test);
  await run(app, ['node', 'node_modules/jest/bin/jest.js', '--ci', '--runInBand']);
});

it('tests routes under Jest, vitest and node:test', async () => {
  const folder = join(app, 'testing');
  mkdirSync(folder);
  for (const name of readdirSync(EXAMPLES)) copyFileSync(new URL(name, EXAMPLES), join(folder, name));
  const module = { name: 'tests', private: true, type: 'module' };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(module));
  await run(app, ['node', 'node_modules/jest/bin/jest.js', '--ci', '--runInBand', '--testMatch', '**/jest.test.cjs']);
  await run(folder, ['node', '../node_modules/vitest/vitest.mjs', 'run', 'vitest.test.ts']);
  expect(await run(folder, ['node', '--import', 'tsx', '--test', 'node.test.ts'])).toMatch(/(?:#|ℹ) pass 3\n/);
});

it('has a command', async () => {
  writeFileSync(join(app, 'routes.txt'), 'example.com 192.0.2.1, 192.0.2.2\nALL 192.0.2.3, 192.0.2.4\n');
  expect(await run(app, ['npx', '--no-install', 'smtp-routes', 'check', 'routes.txt'])).toBe(
    'routes.txt: 2 routes, 4 relays: ok\n',
  );
  expect(await run(app, ['npx', '--no-install', 'smtp-routes', '--version'])).toMatch(/^\d+\.\d+\.\d+\n$/);
  for (const command of [
    'explain routes.txt user@example.com',
    'simulate routes.txt --down 192.0.2.1',
    'convert --to json routes.txt',
    'graph routes.txt',
  ])
    expect((await run(app, ['npx', '--no-install', 'smtp-routes', ...command.split(' ')])).length).toBeGreaterThan(100);
});
