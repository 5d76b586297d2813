/**
 * The queue on pg-boss: any number of workers on any number of machines, on the PostgreSQL that the
 * app has.
 */
import { isWith, show, type Check } from '../../core/check-options.js';
import type { DeliveryQueue } from '../delivery-queue.js';
import { JOB_LEASE_MS } from '../engine/engine.js';
import { EngineStore } from '../engine/engine-store.js';
import { inOurWords } from '../engine/in-our-words.js';
import { isMessageStore, type MessageStore } from '../engine/message-store.js';
import { queueSettings, type QueueOptions } from '../queue-options.js';
import { StoredQueue } from '../stored-queue.js';
import { hearErrors } from './hear-errors.js';
import { PgBossEngine } from './pg-boss-engine.js';
import { PgBossJobs, type Boss } from './pg-boss-jobs.js';
import { pgError } from './pg-error.js';
import type { PgPool } from './pg-pool.js';
import { tablesOf } from './pg-schema.js';
import { tableMessages } from './table-messages.js';

export interface PgBossQueueOptions extends QueueOptions {
  /** An instance of pg-boss 10 or 12, started. The app stops it, after the queue. */
  readonly boss: Boss;
  /** Connections to the same database, a `Pool` of `pg` 8. The app ends it, after the queue. */
  readonly pool: PgPool;
  /** The schema of pg-boss, as it was told, and of the queue's own tables. Default `pgboss`, as in pg-boss. */
  readonly schema?: string;
  /** Begins the names of the queue's tables and of its queues in pg-boss. Default `smtp-routes`. */
  readonly name?: string;
  /** Where messages of more than 256 KiB lie. Default a table. */
  readonly messages?: MessageStore;
}

const isBoss = isWith(['insert', 'fetch', 'fail', 'deleteJob', 'createQueue', 'getQueue', 'getJobById'], 'a PgBoss');
const isPool = isWith(['query', 'connect'], 'a Pool of pg');
const isName: Check = (value) =>
  typeof value === 'string' && /^[a-z][a-z0-9-]{0,30}$/.test(value)
    ? undefined
    : `must be lower-case letters, digits and -, at most 31, got ${show(value)}`;
const isSchema: Check = (value) =>
  typeof value === 'string' && /^([A-Za-z_]\w{0,49}|"[^"]{1,50}")$/.test(value)
    ? undefined
    : `must be a name of letters, digits and _, or one in double quotes, as pg-boss has it, got ${show(value)}`;

/** @throws {RouteConfigError} for unknown or wrong options, all at once */
export function pgBossQueue(options: PgBossQueueOptions): DeliveryQueue {
  const more = { schema: isSchema, name: isName, messages: isMessageStore };
  const settings = queueSettings(options, more, { boss: isBoss, pool: isPool });
  const { deliverer, schema = 'pgboss', name = 'smtp-routes' } = options;
  const { clock, random } = deliverer;
  const tables = tablesOf(schema, name);
  const jobs = new PgBossJobs(options.boss, name, Math.min(settings.leaseMs, JOB_LEASE_MS));
  hearErrors(options.pool, options.boss);
  const engine = inOurWords(new PgBossEngine({ pool: options.pool, tables, jobs, dice: random() }), pgError);
  const messages =
    options.messages ??
    inOurWords(
      tableMessages(options.pool, tables, clock, () => engine.ready()),
      pgError,
    );
  const { maxMessageBytes, perDomain } = settings;
  return new StoredQueue(new EngineStore({ engine, messages, maxMessageBytes, perDomain, clock }), options, settings);
}
