/**
 * Chaos on the engines: three workers, one killed with SIGKILL every second or so, the server behind
 * the queue restarted once, a worker stopped for longer than its lease, and an SMTP server that
 * refuses, defers and drops. Nothing is lost, and copies come only of what was disturbed.
 *
 * SMTP_ROUTES_CRASH_SECONDS=600 runs for longer, SMTP_ROUTES_SEED=… with other dice.
 */
import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { postgresMissing, startPostgres } from '../postgres-server.js';
import { redisMissing, startRedis } from '../redis-server.js';
import { crashRun } from './crash-run.js';

const SECONDS = Number(process.env['SMTP_ROUTES_CRASH_SECONDS'] ?? 15);
const SEED = Number(process.env['SMTP_ROUTES_SEED'] ?? 6);
const DRAIN_MS = 60_000;
const LEASE_MS = 2_000;

const engines = [
  {
    name: 'BullMQ',
    missing: redisMissing,
    start: async () => {
      const server = await startRedis();
      return { server, place: `redis://127.0.0.1:${String(server.port)}` };
    },
  },
  {
    name: 'pg-boss',
    missing: postgresMissing,
    start: async () => {
      const server = await startPostgres();
      return { server, place: server.connectionString() };
    },
  },
];

for (const { name, missing, start } of engines) {
  test.skipIf(missing !== undefined)(
    `${name}: nothing is lost in ${String(SECONDS)} seconds of chaos`,
    { timeout: SECONDS * 1000 + DRAIN_MS + 60_000 },
    async () => {
      const { server, place } = await start();
      process.env['SMTP_ROUTES_LEASE_MS'] = String(LEASE_MS);
      const meanwhile = async (workers: ReadonlySet<ChildProcess>, disturbed: () => void): Promise<void> => {
        await sleep((SECONDS * 1000) / 3);
        disturbed();
        await server.restart();
        disturbed();
        await sleep((SECONDS * 1000) / 6);
        // The youngest lives longest.
        const stopped = [...workers].at(-1);
        stopped?.kill('SIGSTOP');
        disturbed();
        await sleep(LEASE_MS * 1.5);
        disturbed();
        stopped?.kill('SIGCONT');
        await sleep(LEASE_MS / 4);
        disturbed();
      };
      try {
        const report = await crashRun({
          place,
          seconds: SECONDS,
          seed: SEED,
          workers: 3,
          lifeMs: 3_000,
          drainMs: DRAIN_MS,
          meanwhile,
        });
        console.log(`chaos on ${name}, ${report.summary}`);
        expect(report.counters, 'the last process emptied the queue').not.toBe('');
        expect(report.lost).toEqual([]);
        expect(report.problems).toEqual([]);
        expect(report.kills).toBeGreaterThan(2);
        expect(report.stored).toBeGreaterThan(20);
      } finally {
        delete process.env['SMTP_ROUTES_LEASE_MS'];
        await server[Symbol.asyncDispose]();
      }
    },
  );
}
