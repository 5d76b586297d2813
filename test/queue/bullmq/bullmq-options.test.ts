/**
 * What the queue on BullMQ is told: wrong options, all at once, and clients that it could not work with.
 */
import { Cluster, Redis } from 'ioredis';
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
  const missing = 'must be an ioredis client, new Redis({ maxRetriesPerRequest: null }), got undefined';
  expect(problems({})).toEqual([`connection: ${missing}`]);
  expect(problemsOf(() => (bullmqQueue as () => unknown)())).toEqual([
    'deliverer: must be a Deliverer, got undefined',
    `connection: ${missing}`,
  ]);
});

test.each([
  [{ maxRetriesPerRequest: 20 }, 'must have maxRetriesPerRequest: null'],
  [{ enableAutoPipelining: true }, 'must not have enableAutoPipelining'],
  [{ stringNumbers: true }, 'must not have stringNumbers'],
  [{ keyPrefix: 'app:' }, 'must not have keyPrefix: give `prefix` to the queue'],
  [{ monitor: true }, 'must not be in monitor mode: give the queue a client of its own'],
])('a client with %j is refused', (options, problem) => {
  const connection = new Redis({ maxRetriesPerRequest: null, ...options, lazyConnect: true });
  expect(problems({ connection })).toEqual([`connection: ${problem}`]);
  connection.disconnect();
});

test('a cluster is refused', () => {
  const connection = new Cluster([{ host: '127.0.0.1', port: 1 }], { lazyConnect: true });
  expect(problems({ connection })).toEqual(['connection: must not be a Cluster, which is not supported']);
  connection.disconnect();
});
