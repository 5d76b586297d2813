/**
 * The queue on pg-boss keeps the contract of every queue, on a real PostgreSQL. Time really goes by.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import PgBoss from 'pg-boss';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { systemClock } from '../../../src/delivery/system-clock.js';
import { pgBossQueue } from 'smtp-routes/queue/pg-boss';
import { deliveryQueueContract } from 'smtp-routes/testing';
import { postgresMissing, startPostgres, type PostgresServer } from '../../postgres-server.js';

describe.skipIf(postgresMissing !== undefined)(`pg-boss ${postgresMissing ?? ''}`, () => {
  let server: PostgresServer;
  let boss: PgBoss;
  let pool: pg.Pool;
  let names = 0;
  beforeAll(async () => {
    server = await startPostgres();
    pool = new pg.Pool({ connectionString: server.connectionString(), max: 8 });
    boss = new PgBoss({ connectionString: server.connectionString(), max: 2, schedule: false, supervise: false });
    await boss.start();
  }, 60_000);
  afterAll(async () => {
    await boss.stop({ graceful: false });
    await pool.end();
    await server[Symbol.asyncDispose]();
  });

  for (const each of deliveryQueueContract) {
    test(each.name, { timeout: 60_000 }, () =>
      each.run(() => {
        const name = `contract-${String(++names)}`;
        return {
          clock: systemClock,
          pass: (ms) => sleep(ms),
          open: (options) => pgBossQueue({ ...options, boss, pool, name }),
          durable: true,
          end: () => Promise.resolve(),
        };
      }),
    );
  }
});
