/**
 * What goes wrong around the queue on BullMQ: a worker that is cut off, a Redis that goes away,
 * jobs that somebody deleted. Nothing is lost, and copies come only where they must.
 */
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defineRoutes } from 'smtp-routes';
import type { QueueOptions } from 'smtp-routes/queue';
import { bullmqQueue, type RedisClient } from 'smtp-routes/queue/bullmq';
import { ManualClock } from 'smtp-routes/testing';
import { cableTo } from '../../cable.js';
import { redisMissing, startRedis, type RedisServer } from '../../redis-server.js';
import { peerVersion } from '../peer-version.js';
import { scriptedQueue, type ScriptedQueue } from '../scripted-queue.js';
import { until } from '../until.js';

const routes = defineRoutes({ relays: { a: { host: '192.0.2.1' } }, routes: [{ match: 'ALL', tiers: [['a']] }] });
const mail = { envelope: { from: 'sender@example.net', to: ['one@a.test'] }, message: 'Subject: x\r\n\r\nx\r\n' };

describe.skipIf(redisMissing !== undefined)(
  `BullMQ ${peerVersion('bullmq')} on ioredis ${peerVersion('ioredis')} ${redisMissing ?? ''}`,
  { timeout: 60_000 },
  () => {
    let server: RedisServer;
    let connection: Redis;
    let names = 0;
    const connect = (port = server.port): Redis => {
      const redis = new Redis(port, '127.0.0.1', { maxRetriesPerRequest: null });
      redis.on('error', () => undefined);
      return redis;
    };
    beforeAll(async () => {
      server = await startRedis();
      connection = connect();
    }, 60_000);
    afterAll(async () => {
      connection.disconnect();
      await server[Symbol.asyncDispose]();
    });

    function open(
      name: string,
      script: string | readonly string[],
      options: Partial<QueueOptions> & { connection?: RedisClient; clock?: ManualClock } = {},
    ): ScriptedQueue {
      const { clock, ...rest } = options;
      return scriptedQueue(routes, { a: script }, clock, (given) =>
        bullmqQueue({ ...given, connection, name, ...rest }),
      );
    }

    test('a worker cut off for longer than its lease: another delivers, and the late result undoes nothing', async () => {
      const name = `cut-off-${String(++names)}`;
      const cable = await cableTo(server.port);
      const far = connect(cable.port);
      const lease = { leaseMs: 1_000, pollMs: 50 };
      const first = open(name, 'stall@mail', { ...lease, connection: far });
      await first.queue.submit(mail, { id: 'one' });
      first.queue.start();
      await until(() => first.transport.busy('a') === 1);
      cable.cut();

      const second = open(name, '250', lease);
      second.queue.start();
      await until(() => second.transport.trace.length === 1);
      await until(async () => (await second.queue.counters()).active === 0);
      cable.mend();
      await until(() => first.transport.release() > 0);
      await until(() => first.events.some(({ type }) => type === 'lease-lost'));
      await until(() => second.events.some(({ type }) => type === 'claims-freed'));
      const { delivered, active, inFlight } = await second.queue.counters();
      expect({ delivered, active, inFlight }).toEqual({ delivered: 1, active: 0, inFlight: 0 });
      await first.queue.close();
      await second.queue.close();
      far.disconnect();
      await cable[Symbol.asyncDispose]();
    });

    test('a late result takes away what it delivered from whoever has the mail now', async () => {
      const name = `late-${String(++names)}`;
      const lease = { leaseMs: 1_000, pollMs: 50 };
      const two = { ...mail, envelope: { ...mail.envelope, to: ['one@a.test', 'two@a.test'] } };
      const cable = await cableTo(server.port);
      const far = connect(cable.port);
      const first = open(name, 'stall@mail', { ...lease, connection: far });
      await first.queue.submit(two, { id: 'two' });
      first.queue.start();
      await until(() => first.transport.busy('a') === 1);
      cable.cut();
      const second = open(name, '450@rcpt later', { ...lease, profile: { initialRetryMs: 60_000 } });
      second.queue.start();
      await until(() => second.events.some(({ type }) => type === 'deferred'));
      cable.mend();
      await until(() => first.transport.release() > 0);
      await until(async () => (await second.queue.counters()).active === 0);
      expect((await second.queue.show()).entries).toEqual([]);
      expect((await second.queue.counters()).delivered).toBe(2);
      await first.queue.close();
      await second.queue.close();
      far.disconnect();
      await cable[Symbol.asyncDispose]();
    });

    test('mail whose job somebody deleted is found', async () => {
      const name = `deleted-${String(++names)}`;
      const first = open(name, '250');
      await first.queue.submit(mail);
      const jobs = new Queue(`{${name}}.new`, { connection, prefix: 'smtp-routes' });
      await jobs.obliterate({ force: true });
      await jobs.close();
      expect(await first.queue.runDue()).toEqual([]);
      const later = open(name, '250', { clock: new ManualClock(Date.now() + 2 * 3_600_000) });
      expect((await later.queue.runDue()).length).toBe(1);
      await first.queue.close();
      await later.queue.close();
    });

    test('queues with names that follow from ours, of the app and of another queue, are not touched', async () => {
      const name = `neighbour-${String(++names)}`;
      const suffixes = ['', '-new', '-retry', '.new', '.retry'];
      const own = suffixes.map((suffix) => new Queue(name + suffix, { connection, prefix: 'smtp-routes' }));
      for (const queue of own) await queue.add('own', { my: 1 });
      const ours = suffixes.map((suffix) =>
        open(name + suffix, ['450 later', '250'], { profile: { initialRetryMs: 1 } }),
      );
      for (const { queue } of ours) await queue.submit(mail, { id: 'one' });
      for (const { queue, transport } of ours) {
        await until(async () => (await queue.runDue()).length === 0 && (await queue.counters()).active === 0);
        expect(transport.trace.length).toBe(2);
        await queue.close();
      }
      for (const queue of own) {
        expect(await queue.getWaitingCount()).toBe(1);
        await queue.close();
      }
    });

    test('jobs in our queues that are not ours are failed, and mail behind them goes out', async () => {
      const name = `foreign-${String(++names)}`;
      const { queue } = open(name, '250');
      const jobs = new Queue(`{${name}}.new`, { connection, prefix: 'smtp-routes' });
      const data = [{ my: 1 }, null, 'text', { seq: 1 }, { seq: 'x' }, { seq: 99 }];
      for (const one of data) await jobs.add('own', one, { attempts: 3 });
      await queue.submit(mail);
      expect((await queue.runDue()).length).toBe(1);
      expect(await jobs.getFailedCount()).toBe(data.length);
      expect((await jobs.getFailed())[0]?.failedReason).toBe('not of smtp-routes, whose queue this is');
      expect((await queue.counters()).delivered).toBe(1);
      await jobs.close();
      await queue.close();
    });

    test('Redis goes away and comes back: submits wait, the workers go on by themselves', async () => {
      const name = `restart-${String(++names)}`;
      const { queue, transport } = open(name, '250', { pollMs: 50 });
      queue.start();
      await queue.submit(mail);
      await until(() => transport.trace.length === 1);
      const restarted = server.restart();
      const submitted = Promise.all(Array.from({ length: 20 }, () => queue.submit(mail)));
      await restarted;
      await submitted;
      await until(async () => (await queue.counters()).active === 0);
      expect((await queue.counters()).delivered).toBeGreaterThanOrEqual(21);
      await queue.close();
    });
  },
);
