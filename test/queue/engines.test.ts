/**
 * What holds on every engine beside the contract: verbs and wake-ups across workers, rolling
 * deploys, records that cannot be read, long bodies and what crashes leave of them, and a server
 * that is not there.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Readable } from 'node:stream';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { defineRoutes, Deliverer, type Mail } from 'smtp-routes';
import { QueueStorageError, type DeliveryQueue } from 'smtp-routes/queue';
import { bullmqQueue, INLINE_BYTES, type MessageStore } from 'smtp-routes/queue/bullmq';
import { ManualClock, ScriptedTransport, type Script } from 'smtp-routes/testing';
import type { Clock } from '../../src/delivery/system-clock.js';
import { freePort } from '../free-port.js';
import { leapingClock } from './clock-leap.js';
import { engines, type EnginePlace, type PlaceOptions } from './engine-places.js';
import { scriptedQueue, type ScriptedQueue } from './scripted-queue.js';
import { until } from './until.js';

const HOUR_MS = 3_600_000;
const routes = defineRoutes({
  relays: { a: { host: '192.0.2.1' }, b: { host: '192.0.2.2' } },
  routes: [
    { match: 'a.test', tiers: [['a']] },
    { match: 'ALL', tiers: [['b']] },
  ],
});
const long = `Subject: long\r\n\r\n${'0123456789abcdef\r\n'.repeat(20_000)}`;

function mailTo(to: string, message: Mail['message'] = 'Subject: x\r\n\r\nx\r\n'): Mail {
  return { envelope: { from: 'sender@example.net', to: [to] }, message };
}

/** In a map, as any number of workers see it. */
function sharedMessages(clock: { now(): number }): MessageStore & { readonly bodies: Map<string, Buffer> } {
  const bodies = new Map<string, Buffer>();
  const putAt = new Map<string, number>();
  return {
    bodies,
    put: async (key, body) => {
      const pieces: Uint8Array[] = [];
      for await (const piece of body) pieces.push(piece);
      bodies.set(key, Buffer.concat(pieces));
      putAt.set(key, clock.now());
    },
    open: (key) => {
      const body = bodies.get(key);
      if (!body) throw new Error('no such body');
      return Readable.from([body], { objectMode: false });
    },
    remove: (key) => {
      bodies.delete(key);
      return Promise.resolve();
    },
    list: async function* (before) {
      await Promise.resolve();
      for (const key of [...bodies.keys()]) if ((putAt.get(key) ?? 0) < before) yield key;
    },
  };
}

async function keysOf(messages: MessageStore, before: number): Promise<string[]> {
  const keys: string[] = [];
  for await (const key of messages.list(before)) keys.push(key);
  return keys.sort();
}

for (const { name: engine, missing, start } of engines) {
  describe.skipIf(missing !== undefined)(`${engine} ${missing ?? ''}`, { timeout: 60_000 }, () => {
    let place: EnginePlace;
    let name: string;
    let count = 0;
    const open: DeliveryQueue[] = [];
    beforeAll(async () => {
      place = await start();
    }, 60_000);
    afterAll(() => place[Symbol.asyncDispose]());
    afterEach(async () => {
      for (const one of open.splice(0)) await one.close();
    });

    function worker(
      scripts: Readonly<Record<string, Script>> = {},
      {
        clock,
        how = 'open',
        ...options
      }: Partial<PlaceOptions> & {
        clock?: Clock;
        how?: 'open' | 'openFar' | 'openForgetful';
      } = {},
    ): ScriptedQueue {
      const made = scriptedQueue(routes, scripts, clock, (given) =>
        place[how](name, { ...given, pollMs: 50, ...options }),
      );
      open.push(made.queue);
      return made;
    }

    function each(title: string, run: () => Promise<void>): void {
      test(title, async () => {
        name = `engines-${String(++count)}`;
        await run();
      });
    }

    each('verbs of one process hold for the workers of another', async () => {
      const { queue, transport } = worker();
      const operator = worker().queue;
      queue.start();
      await operator.suspend('a.test');
      await operator.submit(mailTo('one@a.test'));
      await operator.submit(mailTo('two@b.test'));
      await until(() => transport.trace.length === 1);
      await sleep(300);
      expect(transport.trace.map(({ recipients }) => recipients)).toEqual([['two@b.test']]);
      expect((await queue.hostStatus('a.test')).suspended).toBe(true);
      expect(await operator.redirect({ domain: 'a.test' }, 'b')).toMatchObject({ entries: 1 });
      await operator.resume('a.test');
      await until(() => transport.trace.length === 2);
      expect(transport.trace[1]).toMatchObject({ relay: 'b', recipients: ['one@a.test'] });

      await operator.suspend();
      await operator.submit(mailTo('three@b.test'));
      await sleep(300);
      expect(transport.trace.length).toBe(2);
      await operator.resume();
      await until(async () => (await operator.counters()).active === 0);
      expect(await operator.counters()).toEqual(await queue.counters());
      expect((await operator.counters()).delivered).toBe(3);
    });

    each('a success of one worker wakes what another put off', async () => {
      const profile = { initialRetryMs: 60_000 };
      const first = worker({ a: '450@rcpt later' }, { profile });
      first.queue.start();
      await first.queue.submit(mailTo('one@a.test'));
      await until(() => first.events.some(({ type }) => type === 'deferred'));
      await first.queue.close();
      const second = worker({}, { profile });
      second.queue.start();
      const operator = worker({}, { profile }).queue;
      await operator.submit(mailTo('two@a.test'));
      await until(() => second.transport.trace.length === 2);
      await until(async () => (await operator.counters()).active === 0);
      expect(second.events.filter(({ type }) => type === 'woken')).toMatchObject([{ domain: 'a.test', entries: 1 }]);
    });

    each('a rolling deploy loses nothing and doubles nothing', async () => {
      const old = worker({ a: 'stall@mail' }, { concurrency: 8, perDomain: 8 });
      const operator = worker().queue;
      for (let i = 0; i < 12; i++) await operator.submit(mailTo(`user${String(i)}@a.test`));
      old.queue.start();
      await until(() => old.transport.busy('a') === 8);
      const closed = old.queue.close();
      const young = worker();
      young.queue.start();
      await until(() => young.transport.trace.length === 4);
      await sleep(300);
      expect(old.transport.busy('a'), 'it waits for what it has begun').toBe(8);
      old.transport.release();
      await closed;
      await until(async () => (await operator.counters()).active === 0);
      const reached = [...old.transport.trace, ...young.transport.trace].flatMap(({ recipients }) => recipients);
      expect(new Set(reached).size).toBe(12);
      expect(reached.length).toBe(12);
      expect((await operator.counters()).delivered).toBe(12);
    });

    each('a late result takes what it delivered from who has it in flight, and nothing stays behind', async () => {
      const lease = { leaseMs: 1_000, pollMs: 50 };
      const first = worker({ a: 'stall@mail' }, { ...lease, how: 'openFar' });
      await first.queue.submit(mailTo('one@a.test'));
      first.queue.start();
      await until(() => first.transport.busy('a') === 1);
      place.cable.cut();
      const second = worker({ a: 'stall@mail' }, lease);
      second.queue.start();
      await until(() => second.transport.busy('a') === 1);
      place.cable.mend();
      await until(() => first.transport.release() > 0);
      await until(() => first.events.some(({ type }) => type === 'lease-lost'));
      second.transport.release();
      await until(() => second.transport.busy('a') === 0);
      await until(async () => (await second.queue.counters()).active === 0);
      expect((await second.queue.counters()).delivered).toBe(1);
      await first.queue.close();
      await second.queue.close();
      const third = worker();
      await third.queue.submit(mailTo('two@a.test'));
      await third.queue.runDue();
      expect(third.transport.trace.map(({ recipients }) => recipients)).toEqual([['two@a.test']]);
      for (const { events } of [first, second, third]) {
        expect(events.filter(({ type }) => type === 'set-aside')).toEqual([]);
      }
    });

    each('a late failure writes to nobody', async () => {
      const lease = { leaseMs: 1_000, pollMs: 50 };
      const stalls = [['stall@mail', '550@rcpt 5.1.1 no such user']];
      const first = worker({ a: stalls }, { ...lease, how: 'openFar' });
      await first.queue.submit(mailTo('one@a.test'));
      first.queue.start();
      await until(() => first.transport.busy('a') === 1);
      place.cable.cut();
      const second = worker({}, lease);
      second.queue.start();
      await until(async () => (await second.queue.counters()).delivered === 1);
      place.cable.mend();
      await until(() => first.transport.release() > 0);
      await until(() => first.events.some(({ type }) => type === 'lease-lost'));
      const told = first.events.map(({ type }) => type);
      expect(told).not.toContain('bounced');
      expect(told).not.toContain('attempted');
      expect(await second.queue.counters()).toMatchObject({ active: 0, delivered: 1, hardBounces: { '5xx': 0 } });
    });

    each('a leap of the clock frees nothing that is in flight here', async () => {
      const clock = leapingClock();
      const { queue, transport, events } = worker({ a: [['stall@mail', '250'], '250'] }, { clock });
      await queue.suspend('b.test');
      const mail = mailTo('one@a.test');
      const envelope = { ...mail.envelope, to: ['one@a.test', 'two@b.test'] };
      const first = queue.submit({ ...mail, envelope }, { wait: 'first-attempt' });
      await until(() => transport.busy('a') === 1);
      clock.leap(2 * HOUR_MS);
      // So that the engine hands the message out again, for its other recipient.
      await queue.resume('b.test');
      await until(async () => {
        await queue.runDue();
        return transport.trace.length > 0;
      });
      transport.release();
      expect((await first).outcome?.recipients[0]?.status).toBe('delivered');
      expect(transport.trace.filter(({ relay }) => relay === 'a')).toHaveLength(1);
      const told = events.map(({ type }) => type);
      expect(told).not.toContain('claims-freed');
      expect(told).not.toContain('lease-lost');
    });

    each('what a newer version wrote is left alone, and goes on with a version that knows it', async () => {
      const { queue, transport, events } = worker();
      await queue.submit(mailTo('one@a.test'), { id: 'newer' });
      await queue.submit(mailTo('two@a.test'), { id: 'same' });
      const newer = (data: string): string => JSON.stringify({ ...(JSON.parse(data) as object), v: 2 });
      await place.rewrite(name, 'newer', newer);
      await queue.runDue();
      await queue.runDue();
      expect(transport.trace.map(({ recipients }) => recipients)).toEqual([['two@a.test']]);
      expect(events.filter(({ type }) => type === 'set-aside')).toEqual([]);
      expect((await queue.counters()).active, 'it is not gone').toBe(1);
      expect(await queue.remove('all'), 'nor touched by a verb').toMatchObject({ entries: 0 });
      expect(await queue.submit(mailTo('one@a.test'), { id: 'newer' })).toEqual({ id: 'newer' });
      // The version that wrote it reads it as this one reads its own.
      await place.rewrite(name, 'newer', (data) => JSON.stringify({ ...(JSON.parse(data) as object), v: 1 }));
      const other = worker();
      await other.queue.deliverNow({ id: 'newer' });
      await other.queue.runDue();
      expect(other.transport.trace.map(({ recipients }) => recipients)).toEqual([['one@a.test']]);
      expect((await queue.counters()).active).toBe(0);
    });

    each('a damaged record is set aside and told of, and the rest goes on', async () => {
      const { queue, transport, events } = worker();
      await queue.submit(mailTo('one@a.test'), { id: 'damaged' });
      await place.rewrite(name, 'damaged', (data) => data.slice(0, 40));
      await queue.submit(mailTo('two@a.test'));
      await queue.runDue();
      await queue.runDue();
      expect(transport.trace.map(({ recipients }) => recipients)).toEqual([['two@a.test']]);
      expect(events.filter(({ type }) => type === 'set-aside')).toHaveLength(1);
      queue.start();
      await queue.submit(mailTo('three@a.test'));
      await until(() => transport.trace.length === 2);
    });

    each('what is set aside is counted and touched by nothing, until its record is mended', async () => {
      const { queue, transport, events } = worker();
      const records: string[] = [];
      for (const id of ['mended', 'unwanted']) {
        await queue.submit(mailTo(`${id}@a.test`), { id });
        await place.rewrite(name, id, (data) => {
          records.push(data);
          return data.slice(0, 40);
        });
      }
      await queue.runDue();
      const aside = events.flatMap((event) => (event.type === 'set-aside' ? [event.reason] : []));
      expect(aside.sort()).toEqual(['message 1: it cannot be read', 'message 2: it cannot be read']);
      for (const verb of ['remove', 'deliverNow', 'bounce', 'release'] as const) {
        expect(await queue[verb]('all'), verb).toMatchObject({ entries: 0, recipients: 0, inFlight: 0 });
      }
      expect((await queue.show()).entries).toEqual([]);
      expect((await queue.counters()).active).toBe(2);
      for (const id of ['mended', 'unwanted']) await place.rewrite(name, id, () => records.shift() ?? '');
      expect(await queue.remove({ id: 'unwanted' })).toMatchObject({ entries: 1 });
      await queue.deliverNow({ id: 'mended' });
      await queue.runDue();
      expect(transport.trace.map(({ recipients }) => recipients)).toEqual([['mended@a.test']]);
      expect((await queue.counters()).active).toBe(0);
    });

    each('the id of what has ended is known for a day, and then forgotten', async () => {
      const now = Date.now();
      const at = (hours: number): ScriptedQueue => worker({}, { clock: new ManualClock(now + hours * HOUR_MS) });
      const first = at(0);
      await first.queue.submit(mailTo('one@a.test'), { id: 'invoice-1' });
      await first.queue.runDue();
      expect(first.transport.trace.length).toBe(1);
      const isTaken = async ({ queue, events }: ScriptedQueue): Promise<boolean> => {
        await queue.runDue();
        await queue.submit(mailTo('one@a.test'), { id: 'invoice-1' });
        return events.some(({ type }) => type === 'stored');
      };
      expect(await isTaken(at(23.9))).toBe(false);
      expect(await isTaken(at(24.1))).toBe(true);
    });

    each('long messages lie in the MessageStore of the app until they have ended', async () => {
      const messages = sharedMessages({ now: Date.now });
      const first = worker({ a: '450@rcpt later' }, { messages });
      const second = worker({}, { messages });
      const source = { open: () => Readable.from([long.slice(0, 1000), long.slice(1000)], { objectMode: false }) };
      await first.queue.submit(mailTo('one@a.test', long), { id: 'bytes' });
      await first.queue.submit(mailTo('two@a.test', source), { id: 'stream' });
      await first.queue.submit(mailTo('two@a.test', source), { id: 'stream' });
      await first.queue.submit(mailTo('three@a.test', 'x'.repeat(INLINE_BYTES - 2).concat('\r\n')));
      expect(messages.bodies.size).toBe(2);
      await first.queue.runDue();
      expect(messages.bodies.size).toBe(2);
      await second.queue.deliverNow();
      await second.queue.runDue();
      const sent = new Map(second.transport.trace.map(({ recipients: [to], body }) => [to, body?.toString()]));
      expect(sent.get('one@a.test')).toBe(long);
      expect(sent.get('two@a.test')).toBe(long);
      expect(messages.bodies.size).toBe(0);
    });

    each('bodies that a crash left are swept after a day, those of messages never', async () => {
      const now = Date.now();
      const clock = new ManualClock(now);
      const { queue } = worker({ a: '450@rcpt later' }, { clock });
      await queue.submit(mailTo('one@a.test', long));
      await queue.runDue();
      const messages = place.messages(name, clock);
      // As from a process that was killed before it stored the record.
      await messages.put('orphan', Readable.from([Buffer.from('x')]));
      const always = now + 1000 * HOUR_MS;
      const before = await keysOf(messages, always);
      expect(before).toHaveLength(2);
      await worker({}, { clock: new ManualClock(now + 23 * HOUR_MS) }).queue.runDue();
      expect(await keysOf(messages, always)).toEqual(before);
      const later = worker({}, { clock: new ManualClock(now + 25 * HOUR_MS) });
      await later.queue.runDue();
      expect(await keysOf(messages, always)).toEqual(before.filter((key) => key !== 'orphan'));
      const again = worker({}, { clock });
      await again.queue.deliverNow();
      await again.queue.runDue();
      expect(again.transport.trace[0]?.body?.toString()).toBe(long);
      expect(await keysOf(messages, always)).toEqual([]);
    });

    each('a message whose storing is heard of only the second time has its body, and goes out once', async () => {
      const { queue, transport, events } = worker({}, { how: 'openForgetful' });
      // The app asks again with the same id until it is told.
      for (let isStored = false; !isStored;) {
        isStored = await queue.submit(mailTo('one@a.test', long), { id: 'long' }).then(
          () => true,
          () => false,
        );
      }
      await queue.runDue();
      expect(events.filter(({ type }) => type === 'set-aside')).toEqual([]);
      expect(transport.trace.map(({ body }) => body?.toString())).toEqual([long]);
      expect((await queue.counters()).active).toBe(0);
    });

    each('a worker does not wait for the lease of what it took without hearing so', async () => {
      const { queue, transport } = worker({}, { how: 'openForgetful' });
      queue.start();
      await Promise.all(['one', 'two', 'three'].map((user) => queue.submit(mailTo(`${user}@a.test`, long))));
      await until(async () => (await queue.counters()).active === 0);
      expect(transport.trace.map(({ recipients: [to] }) => to).sort()).toEqual([
        'one@a.test',
        'three@a.test',
        'two@a.test',
      ]);
    });

    each('the server is away: nothing is lost, and what is asked says so or waits', async () => {
      const { queue, transport, events } = worker({}, { how: 'openFar' });
      const near = worker().queue;
      queue.start();
      await queue.submit(mailTo('one@a.test'));
      await until(() => transport.trace.length === 1);
      place.cable.cut();
      const signal = AbortSignal.timeout(1_500);
      const error = await queue.submit(mailTo('two@a.test'), { id: 'two', signal }).catch((reason: unknown) => reason);
      if (engine.startsWith('pg-boss')) {
        expect(error).toBeInstanceOf(QueueStorageError);
        expect(error).toMatchObject({ code: 'ERR_SMTP_ROUTES_QUEUE_UNAVAILABLE', cause: expect.any(Error) as Error });
        await expect(queue.counters()).rejects.toMatchObject({ code: 'ERR_SMTP_ROUTES_QUEUE_UNAVAILABLE' });
        await until(() => events.some((one) => one.type === 'trouble' && one.error instanceof QueueStorageError));
      } else {
        // It waits for as long as it may, and the message is stored once the server is there again.
        expect(error).toMatchObject({ name: 'TimeoutError' });
      }
      place.cable.mend();
      await until(async () => {
        await queue.submit(mailTo('two@a.test'), { id: 'two' });
        return true;
      });
      await until(() => transport.trace.length === 2);
      await until(async () => (await near.counters()).active === 0);
      expect((await near.counters()).delivered).toBe(2);
    });
  });
}

describe('bullmqQueue, without Redis', () => {
  const deliverer = new Deliverer({ routes, transport: new ScriptedTransport() });

  test('with a client that does not wait, submit says that it is not there', async () => {
    const port = await freePort();
    const connection = new Redis(port, '127.0.0.1', { maxRetriesPerRequest: null, enableOfflineQueue: false });
    connection.on('error', () => undefined);
    const queue = bullmqQueue({ deliverer, connection });
    const error = await queue.submit(mailTo('one@a.test')).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(QueueStorageError);
    expect(error).toMatchObject({ code: 'ERR_SMTP_ROUTES_QUEUE_UNAVAILABLE', cause: expect.any(Error) as Error });
    connection.disconnect();
    await queue.close();
  });

  test('what waits for it ends when the client gives up, and the queue can be closed', async () => {
    const port = await freePort();
    const retryStrategy = (times: number): number | null => (times > 3 ? null : 20);
    const connection = new Redis(port, '127.0.0.1', { maxRetriesPerRequest: null, retryStrategy });
    connection.on('error', () => undefined);
    const queue = bullmqQueue({ deliverer, connection });
    const submitted = queue.submit(mailTo('one@a.test')).catch((reason: unknown) => reason);
    await queue.close();
    expect(await submitted).toMatchObject({ code: 'ERR_SMTP_ROUTES_QUEUE_UNAVAILABLE' });
  });
});
