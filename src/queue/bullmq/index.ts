/**
 * `smtp-routes/queue/bullmq`: the queue on BullMQ and Redis, for many workers on many machines.
 */
export { bullmqQueue, type BullmqQueueOptions } from './bullmq-queue.js';
export type { RedisClient } from './redis.js';
export { INLINE_BYTES, type MessageStore } from '../engine/message-store.js';
