/**
 * What the queue on BullMQ is told: wrong options, all at once, and clients that it could not work with.
 */
import { Redis } from 'ioredis';
import { expect, it, test } from 'vitest';
import { Deliverer, defineRoutes } from 'smtp-routes';
import { bullmqQueue, type BullmqQueueOptions } from 'smtp-routes/queue/bullmq';
import { ScriptedTransport } from 'smtp-routes/testing';
import { problemsOf } from '../../core/problems-of.js';

const deliverer = new Deliverer({
  routes: defineRoutes({ relays: {}, routes: [], otherwise: 'reject' }),
  transport: new ScriptedTransport(),
});

function problems(options: object): string[] {
  return problemsOf(() => bullmqQueue({ deliverer, ...options } as BullmqQueueOptions));
}

it('wrong options are told of, all at once', () => {
  const wrong = {
    connection: { host: 'redis.example' },
    prefix: 'a b',
    name: '',
    messages: {},
    leaseMs: -1,
    nmae: 'x',
  };
  expect(problems(wrong).map((line) => line.split(':')[0])).toEqual(
    expect.arrayContaining(['connection', 'prefix', 'name', 'messages', 'leaseMs', 'nmae']),
  );
  expect(problems({})).toEqual(['connection: must be an ioredis client, got null']);
});

test.each([
  [{}, 'connection: must have maxRetriesPerRequest: null'],
  [{ maxRetriesPerRequest: null, enableAutoPipelining: true }, 'connection: must not have enableAutoPipelining'],
])('a client with %j is refused', (options, problem) => {
  const connection = new Redis({ ...options, lazyConnect: true });
  expect(problems({ connection })).toEqual([problem]);
  connection.disconnect();
});
