/**
 * The queue for production on one machine: what is submitted survives the end of the process and of
 * the power.
 */
import { isDuration, show, type Check } from '../../core/check-options.js';
import type { DeliveryQueue } from '../delivery-queue.js';
import { newHolder } from '../holder.js';
import { queueSettings, type QueueOptions } from '../queue-options.js';
import type { SqliteDatabase } from './sqlite-database.js';
import { SqliteStore } from './sqlite-store.js';
import { StoredQueue } from '../stored-queue.js';

export interface SqliteQueueOptions extends QueueOptions {
  /**
   * An open `better-sqlite3` Database or `node:sqlite` DatabaseSync on a file, this queue's alone:
   * a connection for each queue, any number of processes for each file. The app closes it, after
   * the queue.
   */
  readonly database: SqliteDatabase;
  /** How long to wait while somebody else has the database locked. Default 30 s. */
  readonly lockTimeoutMs?: number;
}

const isDatabase: Check = (value) => {
  const { exec, prepare } = (value ?? {}) as Partial<SqliteDatabase>;
  return typeof exec === 'function' && typeof prepare === 'function'
    ? undefined
    : `must be a better-sqlite3 Database or a node:sqlite DatabaseSync, got ${show(value)}`;
};

/**
 * @throws {RouteConfigError} for unknown or wrong options, all at once
 * @throws {QueueStorageError} if the database cannot be written, or its tables are of a newer version
 */
export function sqliteQueue(options: SqliteQueueOptions): DeliveryQueue {
  const settings = queueSettings(options, { lockTimeoutMs: isDuration }, { database: isDatabase });
  const { database, lockTimeoutMs = 30_000 } = options;
  const { maxMessageBytes } = settings;
  const store = new SqliteStore({ database, maxMessageBytes, lockTimeoutMs, holder: newHolder() });
  return new StoredQueue(store, options, settings);
}
