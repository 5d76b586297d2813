/**
 * Submits five messages one after the other and five at once, and says so after each: a process for
 * strace to look at.
 */
import { writeSync } from 'node:fs';
import { Deliverer, defineRoutes } from 'smtp-routes';
import { sqliteQueue } from 'smtp-routes/queue';
import { ScriptedTransport } from 'smtp-routes/testing';
import { anyDriver } from './sqlite-drivers.js';

const database = anyDriver?.open(process.argv[2] ?? '');
if (!database) throw new Error('no SQLite driver');
const routes = defineRoutes({ relays: { main: { host: '192.0.2.1' } }, routes: [{ match: 'ALL', tiers: [['main']] }] });
const queue = sqliteQueue({ database, deliverer: new Deliverer({ routes, transport: new ScriptedTransport() }) });
const submit = async (word: string, i: number): Promise<void> => {
  await queue.submit({ envelope: { from: '', to: ['user@example.com'] }, message: 'Subject: x\r\n\r\n' });
  writeSync(1, `${word} ${String(i)}\n`);
};
for (let i = 0; i < 5; i++) await submit('single', i);
await Promise.all(Array.from({ length: 5 }, (_, i) => submit('group', i)));
await queue.close();
database.close();
