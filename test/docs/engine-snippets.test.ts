/** What the README says of opening a queue on an engine opens one, on real servers. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { postgresMissing, startPostgres } from '../postgres-server.js';
import { redisMissing, startRedis } from '../redis-server.js';
import { root, runTypeScript } from './run-typescript.js';

const readme = readFileSync(join(root, 'README.md'), 'utf8');
const fences = [...readme.matchAll(/^```js\n(.*?)^```$/gms)].map((match) => match[1] ?? '');

/** Runs the fence that imports this, with a deliverer before and a message after it. */
async function run(subpath: string, before: string, after: string, edit: (code: string) => string): Promise<string> {
  const code = fences.find((fence) => fence.includes(`'${subpath}'`));
  if (code === undefined) throw new Error(`no fence imports ${subpath}`);
  const folder = mkdtempSync(join(root, 'test', 'docs', '.readme-'));
  try {
    const file = join(folder, 'fence.mts');
    writeFileSync(
      file,
      `import { Deliverer, defineRoutes } from 'smtp-routes';
      import { ScriptedTransport } from 'smtp-routes/testing';
      const routes = defineRoutes({ relays: { a: { host: '192.0.2.1' } }, routes: [{ match: 'ALL', tiers: [['a']] }] });
      const deliverer = new Deliverer({ routes, transport: new ScriptedTransport() });
      ${before}
      ${edit(code)}
      queue.start();
      const mail = { envelope: { from: '', to: ['user@example.com'] }, message: 'Subject: x\\r\\n\\r\\n' };
      const { outcome } = await queue.submit(mail, { wait: 'first-attempt' });
      console.log(outcome.recipients[0].status);
      await queue.close();
      ${after}`,
    );
    return (await runTypeScript(file)).stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test.skipIf(redisMissing !== undefined)(`BullMQ ${redisMissing ?? ''}`, { timeout: 60_000 }, async () => {
  await using server = await startRedis();
  const onPort = (code: string): string => code.replace('new Redis({', `new Redis({ port: ${String(server.port)},`);
  expect(await run('smtp-routes/queue/bullmq', '', 'connection.disconnect();', onPort)).toBe('delivered\n');
});

test.skipIf(postgresMissing !== undefined)(`pg-boss ${postgresMissing ?? ''}`, { timeout: 60_000 }, async () => {
  await using server = await startPostgres();
  const place = `const connectionString = '${server.connectionString()}';`;
  const end = 'await boss.stop({ graceful: false }); await pool.end();';
  expect(await run('smtp-routes/queue/pg-boss', place, end, (code) => code)).toBe('delivered\n');
});
