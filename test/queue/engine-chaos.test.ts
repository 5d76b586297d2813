/**
 * Chaos on the engines: three workers submit and deliver 5,000 messages while one of them is killed
 * with SIGKILL every few seconds, the server behind the queue is restarted once, one worker is
 * stopped for longer than its lease, and the SMTP server refuses, defers and drops. Nothing is lost,
 * and copies come only of what was between the server's 250 and our commit.
 *
 * SMTP_ROUTES_CHAOS_MESSAGES=50000 has more of it, SMTP_ROUTES_SEED=… other dice. 5,000 take a minute or
 * two for each engine on two cores.
 */
import { expect, test } from 'vitest';
import { postgresMissing, startPostgres } from '../postgres-server.js';
import { redisMissing, startRedis } from '../redis-server.js';
import { crashRun } from './crash-run.js';

const MESSAGES = Number(process.env['SMTP_ROUTES_CHAOS_MESSAGES'] ?? 5000);
const SEED = Number(process.env['SMTP_ROUTES_SEED'] ?? 6);
/** However slow the machine is. */
const LIMIT_S = 60 + MESSAGES / 25;
/** pg-boss 12 looks for jobs of the dead once a minute. */
const DRAIN_MS = 120_000;
/** Short enough to be outlasted, and long for a commit on a busy machine. */
const LEASE_MS = 4_000;

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
    `${name}: nothing is lost of ${String(MESSAGES)} messages in chaos ${missing ?? ''}`,
    { timeout: LIMIT_S * 1000 + DRAIN_MS + 60_000 },
    async () => {
      const { server, place } = await start();
      process.env['SMTP_ROUTES_LEASE_MS'] = String(LEASE_MS);
      try {
        const report = await crashRun({
          place,
          seconds: LIMIT_S,
          messages: MESSAGES,
          seed: SEED,
          faultRate: 0.1,
          workers: 3,
          lifeMs: 18_000,
          drainMs: DRAIN_MS,
          meanwhile: async ({ stored, freeze, disturb }) => {
            await stored(MESSAGES / 3);
            await disturb(() => server.restart());
            await stored((MESSAGES * 2) / 3);
            await freeze(LEASE_MS * 1.5);
          },
        });
        console.log(`chaos on ${name}, ${report.summary}`);
        expect(report.counters, 'the last process emptied the queue').not.toBe('');
        expect(report.lost).toEqual([]);
        expect(report.problems).toEqual([]);
        // A worker that waits for what the stopped one has locked.
        expect(report.late).toBeLessThan(MESSAGES / 100);
        expect(report.stored).toBeGreaterThanOrEqual(MESSAGES);
        expect(report.kills).toBeGreaterThanOrEqual(3);
      } finally {
        delete process.env['SMTP_ROUTES_LEASE_MS'];
        await server[Symbol.asyncDispose]();
      }
    },
  );
}
