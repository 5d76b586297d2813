/**
 * Mail that survives: a process submits three messages while the server is down, and is killed with
 * SIGKILL. Another one opens the same file, and delivers them.
 *
 * Run it: npx tsx examples/queue-and-restart.ts
 */
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Deliverer, defineRoutes } from 'smtp-routes';
import { nodemailerTransport } from 'smtp-routes/nodemailer';
import { sqliteQueue, type DeliveryQueue, type SqliteDatabase } from 'smtp-routes/queue';
import { startSmtpServer } from 'smtp-routes/testing';

const DOWN = 1; // a port where nobody listens

/** A database of Node's own from 22.13, else better-sqlite3. */
function openDatabase(file: string): SqliteDatabase | undefined {
  const require = createRequire(import.meta.url);
  try {
    const { DatabaseSync } = require('node:sqlite') as { DatabaseSync: new (file: string) => SqliteDatabase };
    return new DatabaseSync(file);
  } catch {
    try {
      const Database = require(process.env['SMTP_ROUTES_BETTER_SQLITE3'] ?? 'better-sqlite3') as {
        new (file: string): SqliteDatabase;
      };
      return new Database(file);
    } catch {
      return undefined;
    }
  }
}

function openQueue(file: string, port: number): { queue: DeliveryQueue; deliverer: Deliverer } | undefined {
  const database = openDatabase(file);
  if (!database) return undefined;
  const routes = defineRoutes({
    relays: { exchange: { host: '127.0.0.1', port } },
    routes: [{ match: 'ALL', tiers: [['exchange']] }],
  });
  const deliverer = new Deliverer({ routes, transport: nodemailerTransport() });
  return { queue: sqliteQueue({ database, deliverer }), deliverer };
}

/** The first process: it ends in the worst of ways. */
async function submitAndDie(file: string): Promise<void> {
  const opened = openQueue(file, DOWN);
  if (!opened) return;
  opened.queue.start();
  for (const number of ['1', '2', '3']) {
    const { id, outcome } = await opened.queue.submit(
      {
        envelope: { from: 'app@sender.example', to: ['user@example.com'] },
        message: `From: app@sender.example\r\nSubject: Invoice ${number}\r\n\r\nHello.\r\n`,
      },
      { id: `invoice-${number}`, wait: 'first-attempt' },
    );
    console.log(`  ${id}: ${outcome?.recipients[0]?.status ?? 'stored'}`);
  }
  process.kill(process.pid, 'SIGKILL');
}

async function goOn(file: string): Promise<void> {
  const server = await startSmtpServer();
  const opened = openQueue(file, server.port);
  if (!opened) return;
  const { queue, deliverer } = opened;
  const { entries } = await queue.show();
  for (const { id, recipients, retries } of entries) {
    console.log(`  ${id}: ${recipients[0]?.recipient ?? ''} waits for retry ${String(retries)}`);
  }
  await queue.deliverNow();
  await queue.runDue();
  console.log(`Messages that arrived after the restart: ${String(server.messages.length)}`);
  console.log(`Left in the queue: ${String((await queue.counters()).active)}`);
  await queue.close();
  await deliverer.close();
  await server.close();
}

const [, , role, given] = process.argv;
if (role === 'die' && given !== undefined) await submitAndDie(given);
else if (!openDatabase(':memory:')) console.log('This needs Node 22.13 or later, or: npm i better-sqlite3');
else {
  const folder = mkdtempSync(join(tmpdir(), 'queue-and-restart-'));
  const file = join(folder, 'queue.db');
  console.log('A process submits while the server is down:');
  const child = fork(fileURLToPath(import.meta.url), ['die', file]);
  const signal = await new Promise((resolve) => child.once('exit', (_code, by) => resolve(by)));
  console.log(`It was ended by ${String(signal)}. Another one opens the same file:`);
  await goOn(file);
  rmSync(folder, { recursive: true });
}
