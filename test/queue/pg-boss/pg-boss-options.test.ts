/**
 * What the queue on pg-boss is told: wrong options, all at once, and a boss and a pool that do not
 * belong together.
 */
import pg from 'pg';
import type PgBoss from 'pg-boss';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { Deliverer, defineRoutes } from 'smtp-routes';
import { memoryQueue, sqliteQueue } from 'smtp-routes/queue';
import { pgBossQueue, type PgBossQueueOptions } from 'smtp-routes/queue/pg-boss';
import { ScriptedTransport } from 'smtp-routes/testing';
import { problemsOf } from '../../core/problems-of.js';
import { postgresMissing, startPostgres, type PostgresServer } from '../../postgres-server.js';
import { peerVersion } from '../peer-version.js';
import { scriptedQueue, type ScriptedQueue } from '../scripted-queue.js';
import { until } from '../until.js';
import { makeBoss } from './start-boss.js';

const routes = defineRoutes({ relays: { a: { host: '192.0.2.1' } }, routes: [{ match: 'ALL', tiers: [['a']] }] });
const mail = { envelope: { from: 'sender@example.net', to: ['one@a.test'] }, message: 'Subject: x\r\n\r\nx\r\n' };
const deliverer = new Deliverer({ routes, transport: new ScriptedTransport() });

it('wrong options are told of, all at once', () => {
  const wrong = {
    boss: {},
    pool: 'postgres://',
    schema: 'a-b',
    name: 'Ab',
    messages: null,
    perDomain: 1.5,
    database: 1,
  };
  const told = problemsOf(() => pgBossQueue({ deliverer, ...wrong } as unknown as PgBossQueueOptions));
  expect(told.map((line) => line.split(':')[0])).toEqual(expect.arrayContaining(Object.keys(wrong)));
});

test.each([
  [pgBossQueue, ['boss: must be a PgBoss, got undefined', 'pool: must be a Pool of pg, got undefined']],
  [sqliteQueue, ['database: must be a better-sqlite3 Database or a node:sqlite DatabaseSync, got undefined']],
  [memoryQueue, []],
])('what is missing is told, of no options too', (queue, missing) => {
  const all = ['deliverer: must be a Deliverer, got undefined', ...missing];
  expect(problemsOf(() => (queue as () => unknown)())).toEqual(all);
  expect(problemsOf(() => (queue as (options: object) => unknown)({}))).toEqual(all);
});

describe.skipIf(postgresMissing !== undefined)(
  `pg-boss ${peerVersion('pg-boss')} ${postgresMissing ?? ''}`,
  { timeout: 60_000 },
  () => {
    let server: PostgresServer;
    let pool: pg.Pool;
    const bosses: PgBoss[] = [];
    const pools: pg.Pool[] = [];
    let names = 0;
    beforeAll(async () => {
      server = await startPostgres();
      pool = poolOf();
    }, 60_000);
    afterAll(async () => {
      for (const boss of bosses) await boss.stop({ graceful: false });
      for (const one of pools) await one.end();
      await server[Symbol.asyncDispose]();
    });

    function poolOf(database?: string, max = 3): pg.Pool {
      const made = new pg.Pool({ connectionString: server.connectionString(database), max });
      pools.push(made);
      return made;
    }

    async function bossOf(options: PgBoss.ConstructorOptions = {}): Promise<PgBoss> {
      const connection = 'db' in options ? {} : { connectionString: server.connectionString(), max: 2 };
      const boss = await makeBoss({ ...connection, ...options });
      await boss.start();
      bosses.push(boss);
      return boss;
    }

    function open(options: Pick<PgBossQueueOptions, 'boss' | 'pool'> & Partial<PgBossQueueOptions>): ScriptedQueue {
      const name = `options-${String(++names)}`;
      return scriptedQueue(routes, { a: '250' }, undefined, (given) => pgBossQueue({ ...given, name, ...options }));
    }

    async function problemOf(options: Parameters<typeof open>[0]): Promise<[unknown, string]> {
      const { queue } = open(options);
      const error: unknown = await queue.submit(mail).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      await queue.close();
      const { code, message } = error as { code?: unknown; message: string };
      return [code, message];
    }

    async function delivers(options: Parameters<typeof open>[0]): Promise<void> {
      const { queue } = open(options);
      await Promise.all(Array.from({ length: 20 }, () => queue.submit(mail)));
      queue.start();
      await until(async () => (await queue.counters()).delivered === 20);
      await queue.close();
    }

    test('a boss that is not started, or was stopped, also where its tables are there', async () => {
      const notStarted = ['ERR_SMTP_ROUTES_QUEUE_UNAVAILABLE', 'pg-boss is not started: `await boss.start()` first'];
      const boss = await makeBoss({ connectionString: server.connectionString(), schema: 'started' });
      expect(await problemOf({ boss, pool, schema: 'started' })).toEqual(notStarted);
      await boss.start();
      await delivers({ boss, pool, schema: 'started', name: 'once' });
      await boss.stop({ graceful: false });
      expect(await problemOf({ boss, pool, schema: 'started', name: 'once' })).toEqual(notStarted);
    });

    test('one connection is enough, also if the boss has no other', async () => {
      const own = poolOf(undefined, 1);
      const boss = await bossOf({ db: { executeSql: (text, values) => own.query(text, values) } });
      await delivers({ boss, pool: own });
      await delivers({ boss, pool: poolOf(undefined, 1) });
    });

    test('a boss of another schema, or of another database, than was told', async () => {
      const elsewhere = (schema: string): [string, string] => [
        'ERR_SMTP_ROUTES_QUEUE_SCHEMA',
        `${schema}.queue of the pool's database does not list the queues of this boss: give its schema as "schema", and a "pool" of its database`,
      ];
      const boss = await bossOf({ schema: 'here' });
      expect(await problemOf({ boss, pool, schema: 'nowhere' })).toEqual(elsewhere('nowhere'));
      await bossOf({ schema: 'there' });
      expect(await problemOf({ boss, pool, schema: 'there' })).toEqual(elsewhere('there'));
      await server.create('away');
      expect(await problemOf({ boss, pool: poolOf('away'), schema: 'here' })).toEqual(elsewhere('here'));
      const { rows } = await pool.query(
        "SELECT relname FROM pg_class WHERE relnamespace = 'there'::regnamespace AND relname LIKE 'options%'",
      );
      expect(rows).toEqual([]);
    });

    test('a schema is called as pg-boss was told', async () => {
      const boss = await bossOf({ schema: 'Mail_Jobs' });
      await delivers({ boss, pool, schema: 'Mail_Jobs' });
      await delivers({ boss, pool, schema: 'mail_jobs' });
    });
  },
);
