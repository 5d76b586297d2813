/**
 * The queue on BullMQ keeps the contract of every queue, on a real Redis. Time really goes by.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { systemClock } from '../../../src/delivery/system-clock.js';
import { bullmqQueue } from 'smtp-routes/queue/bullmq';
import { deliveryQueueContract } from 'smtp-routes/testing';
import { redisMissing, startRedis, type RedisServer } from '../../redis-server.js';
import { peerVersion } from '../peer-version.js';

describe.skipIf(redisMissing !== undefined)(`BullMQ ${peerVersion('bullmq')} ${redisMissing ?? ''}`, () => {
  let server: RedisServer;
  let connection: Redis;
  let names = 0;
  beforeAll(async () => {
    server = await startRedis();
    connection = new Redis(server.port, '127.0.0.1', { maxRetriesPerRequest: null });
  }, 60_000);
  afterAll(async () => {
    connection.disconnect();
    await server[Symbol.asyncDispose]();
  });

  for (const each of deliveryQueueContract) {
    test(each.name, { timeout: 60_000 }, () =>
      each.run(() => {
        const name = `contract-${String(++names)}`;
        return {
          clock: systemClock,
          pass: (ms) => sleep(ms),
          open: (options) => bullmqQueue({ ...options, connection, name }),
          durable: true,
          end: () => Promise.resolve(),
        };
      }),
    );
  }
});
