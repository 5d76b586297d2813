/**
 * Three processes on one file: nothing is claimed twice, and what another process stores is found.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { Deliverer, defineRoutes } from 'smtp-routes';
import { sqliteQueue } from 'smtp-routes/queue';
import { ScriptedTransport } from 'smtp-routes/testing';
import { root } from '../docs/run-typescript.js';
import { anyDriver, scratch } from './sqlite-drivers.js';
import { startUnreliableServer } from './unreliable-server.js';

const MESSAGES = 1500;
const PROCESSES = 3;

test.skipIf(!anyDriver)('three processes deliver each message once', { timeout: 60_000 }, async () => {
  if (!anyDriver) return;
  const folder = scratch();
  const server = await startUnreliableServer(Math.random, () => 0, 0);
  const database = anyDriver.open(folder.file);
  const routes = defineRoutes({
    relays: { main: { host: '192.0.2.1' } },
    routes: [{ match: 'ALL', tiers: [['main']] }],
  });
  const deliverer = new Deliverer({ routes, transport: new ScriptedTransport() });
  const queue = sqliteQueue({ deliverer, database });
  const submit = (i: number): Promise<unknown> =>
    queue.submit({
      envelope: { from: 'sender@sender.test', to: [`user@domain${String(i % 3)}.test`] },
      message: `X-Id: ${String(i)}\r\n\r\nx\r\n`,
    });
  try {
    await Promise.all(Array.from({ length: MESSAGES / 2 }, (_, i) => submit(i)));
    const worker = fileURLToPath(new URL('crash-worker.ts', import.meta.url));
    const counts = Array.from({ length: PROCESSES }, async () => {
      const args = ['--import', 'tsx', worker, folder.file, String(server.port), 'one', 'drain'];
      const child = spawn(process.execPath, args, {
        cwd: root,
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, TSX_TSCONFIG_PATH: `${root}/tsconfig.json` },
      });
      let said = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
      const code = await new Promise((resolve) => child.once('close', resolve));
      return { code, delivered: said.match(/^delivered /gm)?.length ?? 0 };
    });
    // While they are at it.
    for (let i = MESSAGES / 2; i < MESSAGES; i += 50)
      await Promise.all(Array.from({ length: 50 }, (_, n) => submit(i + n)));
    const ends = await Promise.all(counts);
    console.log(`delivered by each process: ${ends.map(({ delivered }) => delivered).join(', ')}`);
    expect(ends.map(({ code }) => code)).toEqual(Array.from({ length: PROCESSES }, () => 0));
    const ids = server.accepted.map(({ id }) => id).sort();
    expect(ids).toEqual(Array.from({ length: MESSAGES }, (_, i) => String(i)).sort());
    expect(ends.filter(({ delivered }) => delivered > 0).length, 'processes that took part').toBeGreaterThan(1);
  } finally {
    await queue.close();
    database.close();
    await server.close();
    folder.remove();
  }
});
