/**
 * The connection to PostgreSQL breaks after the server has committed and before we hear of it, at
 * every step of a message's way: nothing is sent twice, nothing is left lying, and what is told is true.
 */
import pg from 'pg';
import type PgBoss from 'pg-boss';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defineRoutes } from 'smtp-routes';
import { pgBossQueue, type PgPool } from 'smtp-routes/queue/pg-boss';
import { postgresMissing, startPostgres, type PostgresServer } from '../../postgres-server.js';
import { peerVersion } from '../peer-version.js';
import { scriptedQueue, type ScriptedQueue } from '../scripted-queue.js';
import { until } from '../until.js';
import { startBoss } from './start-boss.js';

const routes = defineRoutes({ relays: { a: { host: '192.0.2.1' } }, routes: [{ match: 'ALL', tiers: [['a']] }] });
const mail = { envelope: { from: 'sender@example.net', to: ['one@a.test'] }, message: 'Subject: x\r\n\r\nx\r\n' };

/** A commit whose answer was lost is tried again once: it is heard of then, or it fails. */
const TIMES = { once: 1, twice: 2 } as const;
const OFTEN = ['once', 'twice'] as const;

/** Commits whose answers are lost, after those that are heard. */
interface Deaf {
  heard: number;
  commits: number;
}

describe.skipIf(postgresMissing !== undefined)(
  `lost answers with pg-boss ${peerVersion('pg-boss')} ${postgresMissing ?? ''}`,
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

    function open(script: string, to: PgPool = pool): ScriptedQueue & { readonly deaf: Deaf } {
      const deaf = { heard: 0, commits: 0 };
      const connect: PgPool['connect'] = async () => {
        const client = await to.connect();
        return {
          query: async (text, values) => {
            const result = await client.query(text, values);
            if (text !== 'COMMIT' || deaf.heard-- > 0 || deaf.commits === 0) return result;
            deaf.commits--;
            throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
          },
          release: (destroy) => client.release(destroy),
          on: (event, listener) => client.on(event, listener),
          off: (event, listener) => client.off(event, listener),
        };
      };
      const name = `deaf-${String(++names)}`;
      const made = scriptedQueue(routes, { a: script }, undefined, (given) =>
        pgBossQueue({ ...given, boss, pool: { query: (text, values) => to.query(text, values), connect }, name }),
      );
      return { ...made, deaf };
    }

    test.each(OFTEN)('of a claim, %s: the mail does not wait for the end of a lease', async (often) => {
      const { queue, deaf, transport } = open('250');
      await queue.submit(mail);
      deaf.commits = TIMES[often];
      const first = await queue.runDue().catch((error: unknown) => error);
      expect(first instanceof Error).toBe(often === 'twice');
      await queue.runDue();
      expect(transport.trace.length).toBe(1);
      expect((await queue.counters()).active).toBe(0);
      await queue.close();
    });

    test.each(OFTEN)('of a message put and claimed in one step, %s', async (often) => {
      const { queue, deaf, transport } = open('250');
      queue.start();
      await queue.counters();
      deaf.commits = TIMES[often];
      const stored = await queue.submit(mail, { id: 'one' }).catch((error: unknown) => error);
      expect(stored instanceof Error).toBe(often === 'twice');
      await queue.submit(mail, { id: 'one' });
      await queue.runDue();
      await until(async () => (await queue.counters()).active === 0);
      expect(transport.trace.length).toBe(1);
      await queue.close();
    });

    test.each(OFTEN)('of a result that ends the message, %s: told as it is', async (often) => {
      const { queue, deaf, transport, events } = open('stall@mail');
      await queue.submit(mail);
      const run = queue.runDue();
      await until(() => transport.busy('a') === 1);
      deaf.commits = TIMES[often];
      transport.release();
      await run;
      await until(() => events.some(({ type }) => type === 'done'));
      expect(events.map(({ type }) => type).filter((type) => type !== 'trouble')).toEqual([
        'stored',
        'attempted',
        'done',
      ]);
      expect((await queue.counters()).delivered).toBe(1);
      await queue.close();
    });

    test.each(OFTEN)('of a result that puts it off, %s: told as it is', async (often) => {
      const { queue, deaf, events } = open('450@rcpt later');
      await queue.submit(mail);
      Object.assign(deaf, { heard: 1, commits: TIMES[often] });
      await queue.runDue();
      await until(() => events.some(({ type }) => type === 'deferred'));
      expect(events.map(({ type }) => type)).not.toContain('lease-lost');
      expect((await queue.counters()).softBounces).toBe(1);
      await queue.close();
    });

    test('a worker at work gives nothing back that is in flight here', async () => {
      const { queue, transport } = open('stall@mail');
      await queue.submit(mail, { id: 'one' });
      const run = queue.runDue();
      await until(() => transport.busy('a') === 1);
      // Looks after claims first.
      const other = await queue.runDue();
      expect(other).toEqual([]);
      expect((await queue.counters()).inFlight).toBe(1);
      transport.release();
      expect((await run).length).toBe(1);
      await queue.close();
    });

    test('a domain resumed between the look at what is suspended and the putting off: its mail goes out', async () => {
      const gate = { seen: () => undefined as unknown, opened: Promise.resolve() };
      const gated: PgPool = {
        query: async (text, values) => {
          const result = await pool.query(text, values);
          if (/SELECT.*suspended/i.test(text)) {
            gate.seen();
            await gate.opened;
          }
          return result;
        },
        connect: () => pool.connect(),
      };
      const { queue, transport } = open('250', gated);
      await queue.submit(mail);
      await queue.suspend('a.test');
      let openGate: () => void = () => undefined;
      gate.opened = new Promise((resolve) => (openGate = resolve));
      const seen = new Promise<void>((resolve) => (gate.seen = () => resolve()));
      const run = queue.runDue();
      await seen;
      const operator = scriptedQueue(routes, {}, undefined, (given) =>
        pgBossQueue({ ...given, boss, pool, name: `deaf-${String(names)}` }),
      );
      await operator.queue.resume('a.test');
      gate.seen = () => undefined;
      openGate();
      await run;
      await queue.runDue();
      expect(transport.trace.length).toBe(1);
      await queue.close();
      await operator.queue.close();
    });
  },
);
