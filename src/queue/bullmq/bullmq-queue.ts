/**
 * The queue on BullMQ: any number of workers on any number of machines, on the Redis that the app
 * has.
 */
import { isWith, show, type Check } from '../../core/check-options.js';
import type { DeliveryQueue } from '../delivery-queue.js';
import { JOB_LEASE_MS } from '../engine/engine.js';
import { EngineStore } from '../engine/engine-store.js';
import { inOurWords } from '../engine/in-our-words.js';
import { isMessageStore, type MessageStore } from '../engine/message-store.js';
import { queueSettings, type QueueOptions } from '../queue-options.js';
import { StoredQueue } from '../stored-queue.js';
import { BullmqEngine } from './bullmq-engine.js';
import { BullmqJobs } from './bullmq-jobs.js';
import { RedisKeys } from './redis-keys.js';
import { redisError } from './redis-error.js';
import type { RedisClient } from './redis.js';
import { redisMessages } from './redis-messages.js';

export interface BullmqQueueOptions extends QueueOptions {
  /** An `ioredis` 5 or 6 client with `maxRetriesPerRequest: null`, as BullMQ wants it, without `keyPrefix`, `stringNumbers` and `enableAutoPipelining`. The app ends it, after the queue. */
  readonly connection: RedisClient;
  /** Begins every key. Default `smtp-routes`. */
  readonly prefix?: string;
  /** Of the queue, within the prefix. Default `mail`. */
  readonly name?: string;
  /** Where messages of more than 256 KiB lie. Default Redis, in pieces: it holds them in its memory. */
  readonly messages?: MessageStore;
}

interface GivenClient {
  readonly options?: Readonly<Record<string, unknown>>;
  readonly isCluster?: boolean;
  readonly mode?: string;
}

/** With the first ioredis loses the names of commands that it is given as words; BullMQ does not work with the others. */
const IN_THE_WAY = ['enableAutoPipelining', 'stringNumbers', 'keyPrefix'];
const isClient = isWith(['call', 'callBuffer'], 'an ioredis client, new Redis({ maxRetriesPerRequest: null })');
const isRedis: Check = (value) => {
  const wrong = isClient(value);
  if (wrong !== undefined) return wrong;
  const { options = {}, isCluster, mode = 'normal' } = value as GivenClient;
  if (isCluster) return 'must not be a Cluster, which is not supported';
  if (mode !== 'normal') return `must not be in ${mode} mode: give the queue a client of its own`;
  // BullMQ says so only when the first worker is made, and new mail would go out while no retry ever does.
  if (options['maxRetriesPerRequest'] !== null) return 'must have maxRetriesPerRequest: null';
  const inTheWay = IN_THE_WAY.find((name) => options[name]);
  return inTheWay && `must not have ${inTheWay}${inTheWay === 'keyPrefix' ? ': give `prefix` to the queue' : ''}`;
};
const isName: Check = (value) =>
  typeof value === 'string' && /^[\w.-]{1,100}$/.test(value)
    ? undefined
    : `must be letters, digits, _, . and -, got ${show(value)}`;

/** @throws {RouteConfigError} for unknown or wrong options, all at once */
export function bullmqQueue(options: BullmqQueueOptions): DeliveryQueue {
  const more = { prefix: isName, name: isName, messages: isMessageStore };
  const settings = queueSettings(options, more, { connection: isRedis });
  const { deliverer, prefix = 'smtp-routes', name = 'mail' } = options;
  const { clock } = deliverer;
  const keys = new RedisKeys(prefix, name);
  const { maxMessageBytes, perDomain } = settings;
  const jobs = new BullmqJobs({
    connection: options.connection,
    prefix,
    name,
    leaseMs: Math.min(settings.leaseMs, JOB_LEASE_MS),
    now: () => clock.now(),
  });
  const engine = inOurWords(new BullmqEngine(options.connection, keys, jobs), redisError);
  const messages =
    options.messages ?? inOurWords(redisMessages(options.connection, `${prefix}:{${name}}:body:`, clock), redisError);
  return new StoredQueue(new EngineStore({ engine, messages, maxMessageBytes, perDomain, clock }), options, settings);
}
