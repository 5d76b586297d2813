/**
 * The engines of the queue on servers of their own, for tests that hold on each of them.
 */
import { Redis } from 'ioredis';
import pg from 'pg';
import type { DeliveryQueue, QueueOptions } from 'smtp-routes/queue';
import { bullmqQueue, type MessageStore, type RedisClient } from 'smtp-routes/queue/bullmq';
import { pgBossQueue, type PgPool } from 'smtp-routes/queue/pg-boss';
import type { Clock } from '../../src/delivery/system-clock.js';
import { redisMessages } from '../../src/queue/bullmq/redis-messages.js';
import { tablesOf } from '../../src/queue/pg-boss/pg-schema.js';
import { tableMessages } from '../../src/queue/pg-boss/table-messages.js';
import { cableTo, type Cable } from '../cable.js';
import { postgresMissing, startPostgres } from '../postgres-server.js';
import { redisMissing, startRedis } from '../redis-server.js';
import { peerVersion } from './peer-version.js';
import { startBoss } from './pg-boss/start-boss.js';

export type PlaceOptions = QueueOptions & { readonly messages?: MessageStore };

/** A server with queues on it. Names are of queues; those of one name share their mail. */
export interface EnginePlace extends AsyncDisposable {
  /** Can be cut: between what `openFar` opens and the server. */
  readonly cable: Cable;
  /** A worker with connections of its own. */
  open(name: string, options: PlaceOptions): DeliveryQueue;
  /** One whose connections go over the cable. */
  openFar(name: string, options: PlaceOptions): DeliveryQueue;
  /** One whose answer to the next write of a message gets lost: the client, or the queue, sends it again. */
  openForgetful(name: string, options: PlaceOptions): DeliveryQueue;
  /** Where a queue keeps long bodies by default. */
  messages(name: string, clock: Clock): MessageStore;
  /** Puts another text in place of a message's record. */
  rewrite(name: string, id: string, change: (data: string) => string): Promise<void>;
}

export const engines: readonly {
  readonly name: string;
  readonly missing: string | undefined;
  readonly start: () => Promise<EnginePlace>;
}[] = [
  { name: `BullMQ ${peerVersion('bullmq')}`, missing: redisMissing, start: onRedis },
  { name: `pg-boss ${peerVersion('pg-boss')}`, missing: postgresMissing, start: onPostgres },
];

async function onRedis(): Promise<EnginePlace> {
  const server = await startRedis();
  const cable = await cableTo(server.port);
  const connections: Redis[] = [];
  const connect = (port: number): Redis => {
    const redis = new Redis(port, '127.0.0.1', { maxRetriesPerRequest: null });
    redis.on('error', () => undefined);
    connections.push(redis);
    return redis;
  };
  const own = connect(server.port);
  return {
    cable,
    open: (name, options) => bullmqQueue({ ...options, name, connection: connect(server.port) }),
    openFar: (name, options) => bullmqQueue({ ...options, name, connection: connect(cable.port) }),
    openForgetful: (name, options) => {
      const connection = connect(server.port);
      const client: RedisClient = connection;
      let forgets = true;
      // As ioredis does with what was under way when its connection broke.
      const call: RedisClient['call'] = async (command, ...args) => {
        const answer = await client.call(command, ...args);
        if (!command.startsWith('EVAL') || !forgets) return answer;
        forgets = false;
        return await client.call(command, ...args);
      };
      const forgetful = new Proxy(connection, {
        get: (target, key) => {
          if (key === 'call') return call;
          const member: unknown = Reflect.get(target, key, target);
          return typeof member === 'function' ? (member.bind(target) as unknown) : member;
        },
      });
      return bullmqQueue({ ...options, name, connection: forgetful });
    },
    messages: (name, clock) => redisMessages(own, `smtp-routes:{${name}}:body:`, clock),
    rewrite: async (name, id, change) => {
      const base = `smtp-routes:{${name}}:mail:`;
      const key = `${base}message:${String(await own.hget(`${base}ids`, id))}`;
      await own.hset(key, 'data', change((await own.hget(key, 'data')) ?? ''));
    },
    [Symbol.asyncDispose]: async () => {
      for (const one of connections) one.disconnect();
      await cable[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function onPostgres(): Promise<EnginePlace> {
  const server = await startPostgres();
  const cable = await cableTo(server.port);
  const far = server.connectionString().replace(`:${String(server.port)}/`, `:${String(cable.port)}/`);
  const pools: pg.Pool[] = [];
  // Without a listener for errors: the queue must do without.
  const connect = (connectionString: string): pg.Pool => {
    const pool = new pg.Pool({ connectionString, max: 3 });
    pools.push(pool);
    return pool;
  };
  const boss = await startBoss(server.connectionString());
  const own = connect(server.connectionString());
  return {
    cable,
    open: (name, options) => pgBossQueue({ ...options, name, boss, pool: connect(server.connectionString()) }),
    openFar: (name, options) => pgBossQueue({ ...options, name, boss, pool: connect(far) }),
    openForgetful: (name, options) => {
      const pool = connect(server.connectionString());
      let forgets = true;
      const forgetful: PgPool = {
        query: (text, values) => pool.query(text, values),
        connect: async () => {
          const client = await pool.connect();
          const wrote = { message: false };
          return {
            on: (event, listener) => client.on(event, listener),
            off: (event, listener) => client.off(event, listener),
            release: (destroy) => {
              client.release(destroy);
            },
            query: async (text, values) => {
              wrote.message ||= /_message" /.test(text) && /^\s*(INSERT|UPDATE)/.test(text);
              const result = await client.query(text, values);
              if (text !== 'COMMIT' || !wrote.message || !forgets) return result;
              forgets = false;
              throw new Error('Connection terminated unexpectedly');
            },
          };
        },
      };
      return pgBossQueue({ ...options, name, boss, pool: forgetful });
    },
    messages: (name, clock) => tableMessages(own, tablesOf('pgboss', name), clock, () => Promise.resolve()),
    rewrite: async (name, id, change) => {
      const { message } = tablesOf('pgboss', name);
      const { rows } = await own.query<{ data: string }>(`SELECT data FROM ${message} WHERE id = $1`, [id]);
      await own.query(`UPDATE ${message} SET data = $2 WHERE id = $1`, [id, change(rows[0]?.data ?? '')]);
    },
    [Symbol.asyncDispose]: async () => {
      await boss.stop({ graceful: false });
      for (const one of pools) await one.end();
      await cable[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}
