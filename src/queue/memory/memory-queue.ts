/**
 * A queue in memory: the whole behaviour, none of the durability. For tests, and for mail that may
 * be lost with the process.
 */
import type { DeliveryQueue } from '../delivery-queue.js';
import { MemoryStore } from './memory-store.js';
import { queueSettings, type QueueOptions } from '../queue-options.js';
import { StoredQueue } from '../stored-queue.js';

/** @throws {RouteConfigError} for unknown or wrong options, all at once */
export function memoryQueue(options: QueueOptions): DeliveryQueue {
  const settings = queueSettings(options);
  return new StoredQueue(new MemoryStore(settings), options, settings);
}
