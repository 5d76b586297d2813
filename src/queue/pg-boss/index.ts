/**
 * `smtp-routes/queue/pg-boss`: the queue on pg-boss and PostgreSQL, for many workers on many
 * machines.
 */
export { pgBossQueue, type PgBossQueueOptions } from './pg-boss-queue.js';
export type { Boss } from './pg-boss-jobs.js';
export type { PgClient, PgPool, PgResult } from './pg-pool.js';
export { INLINE_BYTES, type MessageStore } from '../engine/message-store.js';
