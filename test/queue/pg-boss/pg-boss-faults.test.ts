/**
 * What goes wrong around the queue on pg-boss: a worker that is cut off, a database that goes away,
 * jobs that somebody deleted. Nothing is lost, and copies come only where they must.
 */
import pg from 'pg';
import type PgBoss from 'pg-boss';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defineRoutes } from 'smtp-routes';
import type { QueueOptions } from 'smtp-routes/queue';
import { pgBossQueue, type PgPool } from 'smtp-routes/queue/pg-boss';
import { ManualClock } from 'smtp-routes/testing';
import { postgresMissing, startPostgres, type PostgresServer } from '../../postgres-server.js';
import { peerVersion } from '../peer-version.js';
import { scriptedQueue, type ScriptedQueue } from '../scripted-queue.js';
import { until } from '../until.js';
import { startBoss } from './start-boss.js';

const routes = defineRoutes({ relays: { a: { host: '192.0.2.1' } }, routes: [{ match: 'ALL', tiers: [['a']] }] });
const mail = { envelope: { from: 'sender@example.net', to: ['one@a.test'] }, message: 'Subject: x\r\n\r\nx\r\n' };

describe.skipIf(postgresMissing !== undefined)(
  `pg-boss ${peerVersion('pg-boss')} ${postgresMissing ?? ''}`,
  { timeout: 60_000 },
  () => {
    let server: PostgresServer;
    let boss: PgBoss;
    let pool: pg.Pool;
    let names = 0;
    beforeAll(async () => {
      server = await startPostgres();
      pool = new pg.Pool({ connectionString: server.connectionString(), max: 8 });
      pool.on('error', () => undefined);
      boss = await startBoss(server.connectionString());
    }, 60_000);
    afterAll(async () => {
      await boss.stop({ graceful: false });
      await pool.end();
      await server[Symbol.asyncDispose]();
    });

    function open(
      name: string,
      script: string | readonly string[],
      options: Partial<QueueOptions> & { pool?: PgPool; clock?: ManualClock } = {},
    ): ScriptedQueue {
      const { clock, ...rest } = options;
      return scriptedQueue(routes, { a: script }, clock, (given) =>
        pgBossQueue({ ...given, boss, pool, name, ...rest }),
      );
    }

    test('a worker cut off for longer than its lease: another delivers, and the late result undoes nothing', async () => {
      const name = `cut-off-${String(++names)}`;
      const wire = { cut: false };
      const refuse = (): void => {
        if (wire.cut) throw new Error('cut off');
      };
      const breakable: PgPool = {
        query: async (text, values) => {
          refuse();
          return await pool.query(text, values);
        },
        connect: async () => {
          refuse();
          return await pool.connect();
        },
      };
      const lease = { leaseMs: 1_000, pollMs: 50 };
      const first = open(name, 'stall@mail', { ...lease, pool: breakable });
      await first.queue.submit(mail, { id: 'one' });
      first.queue.start();
      await until(() => first.transport.busy('a') === 1);
      wire.cut = true;

      const second = open(name, '250', lease);
      second.queue.start();
      await until(() => second.transport.trace.length === 1);
      await until(async () => (await second.queue.counters()).active === 0);
      wire.cut = false;
      await until(() => first.transport.release() > 0);
      await until(() => first.events.some(({ type }) => type === 'lease-lost'));
      await until(() => second.events.some(({ type }) => type === 'claims-freed'));
      const { delivered, active, inFlight } = await second.queue.counters();
      expect({ delivered, active, inFlight }).toEqual({ delivered: 1, active: 0, inFlight: 0 });
      await first.queue.close();
      await second.queue.close();
    });

    test('a late result takes away what it delivered from whoever has the mail now', async () => {
      const name = `late-${String(++names)}`;
      const lease = { leaseMs: 1_000, pollMs: 50 };
      const two = { ...mail, envelope: { ...mail.envelope, to: ['one@a.test', 'two@a.test'] } };
      const wire = { cut: false };
      const breakable: PgPool = {
        query: async (text, values) => {
          if (wire.cut) throw new Error('cut off');
          return await pool.query(text, values);
        },
        connect: () => (wire.cut ? Promise.reject(new Error('cut off')) : pool.connect()),
      };
      const first = open(name, 'stall@mail', { ...lease, pool: breakable });
      await first.queue.submit(two, { id: 'two' });
      first.queue.start();
      await until(() => first.transport.busy('a') === 1);
      wire.cut = true;
      const second = open(name, '450@rcpt later', { ...lease, profile: { initialRetryMs: 60_000 } });
      second.queue.start();
      await until(() => second.events.some(({ type }) => type === 'deferred'));
      wire.cut = false;
      await until(() => first.transport.release() > 0);
      await until(async () => (await second.queue.counters()).active === 0);
      expect((await second.queue.show()).entries).toEqual([]);
      expect((await second.queue.counters()).delivered).toBe(2);
      await first.queue.close();
      await second.queue.close();
    });

    test('many processes may open their queues at the same time', async () => {
      const name = `together-${String(++names)}`;
      const workers = Array.from({ length: 12 }, (_, i) => open(i % 3 === 0 ? `${name}-${String(i)}` : name, '250'));
      await Promise.all(workers.map(({ queue }) => queue.submit(mail)));
      const runs = await Promise.all(workers.map(({ queue }) => queue.runDue()));
      expect(runs.flat().length).toBe(12);
      for (const { queue } of workers) await queue.close();
    });

    test('mail whose job somebody deleted is found', async () => {
      const name = `deleted-${String(++names)}`;
      const first = open(name, '250');
      await first.queue.submit(mail);
      await pool.query('DELETE FROM pgboss.job WHERE name = $1', [`${name}.new`]);
      expect(await first.queue.runDue()).toEqual([]);
      const later = open(name, '250', { clock: new ManualClock(Date.now() + 2 * 3_600_000) });
      expect((await later.queue.runDue()).length).toBe(1);
      await first.queue.close();
      await later.queue.close();
    });

    test('queues with names that follow from ours, of the app and of another queue, are not touched', async () => {
      const name = `near-${String(++names)}`;
      const own = [name, `${name}-new`, `${name}-retry`];
      for (const one of own) {
        await boss.createQueue(one);
        await boss.send(one, { my: 1 });
      }
      // Of the tables too: no table of one is an index of the other.
      const tables = ['schema', 'message', 'entry', 'inline', 'piece', 'ended', 'domain', 'count'];
      const ours = ['', '-new', '-retry', ...tables.map((table) => `-${table}`)].map((suffix) =>
        open(name + suffix, ['450 later', '250'], { profile: { initialRetryMs: 1 } }),
      );
      for (const { queue } of ours) await queue.submit(mail, { id: 'one' });
      for (const { queue, transport } of ours) {
        await until(async () => (await queue.runDue()).length === 0 && (await queue.counters()).active === 0);
        expect(transport.trace.length).toBe(2);
        await queue.close();
      }
      const { rows } = await pool.query('SELECT name, state FROM pgboss.job WHERE name = ANY($1)', [own]);
      expect(rows).toEqual(expect.arrayContaining(own.map((one) => ({ name: one, state: 'created' }))));
      expect(rows.length).toBe(own.length);
    });

    test('jobs in our queues that are not ours are failed, and mail behind them goes out', async () => {
      const name = `foreign-${String(++names)}`;
      const jobs = `${name}.new`;
      const { queue } = open(name, '250', { concurrency: 2 });
      await queue.counters();
      const data = [{ my: 1 }, null, { seq: 1 }, { seq: 'x' }, { seq: 99 }];
      for (const one of data) await boss.send(jobs, one as object, { retryLimit: 1, retryDelay: 60 });
      const endless = await boss.send(jobs, { my: 2 }, { retryLimit: 1_000_000, retryDelay: 0 });
      await queue.submit(mail);
      await until(async () => (await queue.runDue()).length === 1);
      expect((await queue.counters()).delivered).toBe(1);
      const { rows } = await pool.query<{ state: string; output: { message: string } }>(
        'SELECT state, output FROM pgboss.job WHERE name = $1 AND id <> $2',
        [jobs, endless],
      );
      expect(rows.map(({ state }) => state)).toEqual(data.map(() => 'retry'));
      expect(rows[0]?.output.message).toBe('not of smtp-routes, whose queue this is');
      await queue.close();
    });

    test('the database goes away and comes back: submits say so, the workers go on by themselves', async () => {
      const name = `restart-${String(++names)}`;
      const { queue, transport, events } = open(name, '250', { pollMs: 50 });
      queue.start();
      await queue.submit(mail);
      await until(() => transport.trace.length === 1);
      const restarted = server.restart();
      const refused: unknown[] = [];
      let taken = 0;
      const one = async (): Promise<void> => {
        try {
          await queue.submit(mail);
          taken++;
        } catch (error) {
          refused.push(error);
        }
      };
      await until(async () => {
        await one();
        return refused.length > 0;
      });
      await restarted;
      await until(async () => {
        await one();
        return taken > 0;
      });
      await until(async () => (await queue.counters()).active === 0);
      expect(refused.every((error) => error instanceof Error)).toBe(true);
      expect((await queue.counters()).delivered).toBeGreaterThanOrEqual(1 + taken);
      expect(events.some(({ type }) => type === 'trouble')).toBe(true);
      await queue.close();
    });
  },
);
