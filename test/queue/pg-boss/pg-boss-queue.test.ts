/**
 * The queue on pg-boss keeps the contract of every queue, on a real PostgreSQL. Time really goes by.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type PgBoss from 'pg-boss';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { systemClock } from '../../../src/delivery/system-clock.js';
import { pgBossQueue } from 'smtp-routes/queue/pg-boss';
import { deliveryQueueContract } from 'smtp-routes/testing';
import { postgresMissing, startPostgres, type PostgresServer } from '../../postgres-server.js';
import { peerVersion } from '../peer-version.js';
import { startBoss } from './start-boss.js';

describe.skipIf(postgresMissing !== undefined)(`pg-boss ${peerVersion('pg-boss')} ${postgresMissing ?? ''}`, () => {
  let server: PostgresServer;
  let boss: PgBoss;
  let pool: pg.Pool;
  let names = 0;
  beforeAll(async () => {
    server = await startPostgres();
    pool = new pg.Pool({ connectionString: server.connectionString(), max: 8 });
    boss = await startBoss(server.connectionString());
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
