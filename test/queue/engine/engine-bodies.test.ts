/**
 * What a delivery reads is what was stored, or the attempt fails before the message ends: on each
 * engine, over SMTP. And the sweep of bodies that are nobody's.
 */
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Deliverer, defineRoutes } from 'smtp-routes';
import { nodemailerTransport } from 'smtp-routes/nodemailer';
import type { MessageStore, QueueEvent } from 'smtp-routes/queue';
import { startSmtpServer } from 'smtp-routes/testing';
import { EngineBodies } from '../../../src/queue/engine/engine-bodies.js';
import type { Engine } from '../../../src/queue/engine/engine.js';
import { engines, type EnginePlace } from '../engine-places.js';

const long = `Subject: long\r\n\r\n${'0123456789abcdef\r\n'.repeat(40_000)}`;

/** What a store may make of a body when it is opened. */
const faults: Readonly<Record<string, (body: Buffer) => unknown>> = {
  'too short': (body) => Readable.from([body.subarray(0, 300_000)], { objectMode: false }),
  empty: () => Readable.from([], { objectMode: false }),
  'too long': (body) => Readable.from([body, Buffer.from('x\r\n')], { objectMode: false }),
  'broken off': (body) =>
    Readable.from(
      (function* () {
        yield body.subarray(0, 100_000);
        throw new Error('it broke off');
      })(),
      { objectMode: false },
    ),
  'no stream': () => null,
  'not to be opened': () => {
    throw new Error('it cannot be opened');
  },
};

function faultyStore(): MessageStore & { fault: ((body: Buffer) => unknown) | undefined } {
  const bodies = new Map<string, Buffer>();
  return {
    fault: undefined,
    put: async (key, body) => {
      const pieces: Uint8Array[] = [];
      for await (const piece of body) pieces.push(piece);
      bodies.set(key, Buffer.concat(pieces));
    },
    open(key) {
      const body = bodies.get(key) ?? Buffer.alloc(0);
      return (this.fault ? this.fault(body) : Readable.from([body], { objectMode: false })) as Readable;
    },
    remove: (key) => {
      bodies.delete(key);
      return Promise.resolve();
    },
    list: async function* () {
      yield* await Promise.resolve([]);
    },
  };
}

for (const { name: engine, missing, start } of engines) {
  describe.skipIf(missing !== undefined)(`${engine} ${missing ?? ''}`, { timeout: 60_000 }, () => {
    let place: EnginePlace;
    let count = 0;
    beforeAll(async () => {
      place = await start();
    }, 60_000);
    afterAll(() => place[Symbol.asyncDispose]());

    /** Two tiers that take everything, so that whatever is sent on, or sent half, is seen. */
    async function setUp(messages?: MessageStore) {
      const name = `bodies-${String(++count)}`;
      const servers = [await startSmtpServer(), await startSmtpServer()];
      const [first, second] = servers.map(({ port }) => ({ host: '127.0.0.1', port }));
      if (!first || !second) throw new Error('no servers');
      const routes = defineRoutes({
        relays: { first, second },
        routes: [{ match: 'ALL', tiers: [['first'], ['second']] }],
      });
      const deliverer = new Deliverer({ routes, transport: nodemailerTransport() });
      const events: QueueEvent[] = [];
      const queue = place.open(name, {
        deliverer,
        profile: { maxRetries: 2 },
        onEvent: (event) => events.push(event),
        ...(messages && { messages }),
      });
      const isUntouched = (): void => {
        // Neither whole nor half, to neither of them, and no bounce.
        for (const server of servers) expect(server.received).toEqual([]);
        expect(events.map(({ type }) => type)).toEqual(expect.not.arrayContaining(['bounced', 'set-aside', 'trouble']));
        expect(Object.values(deliverer.health()).map(({ state }) => state)).not.toContain('down');
      };
      const failures = (): unknown[] => events.flatMap((one) => (one.type === 'deferred' ? [one.failure] : []));
      const close = async (): Promise<void> => {
        await queue.close();
        await deliverer.close();
        for (const server of servers) await server.close();
      };
      return { name, queue, servers, isUntouched, failures, close };
    }

    test.each(Object.entries(faults))('a body that is %s is no mail delivered, and waits', async (_, fault) => {
      const messages = faultyStore();
      const { queue, servers, isUntouched, failures, close } = await setUp(messages);
      messages.fault = fault;
      const mail = { envelope: { from: 'sender@example.net', to: ['user@a.test'] }, message: long };
      const { outcome } = await queue.submit(mail, { id: 'one', wait: 'first-attempt' });
      expect(outcome?.recipients).toMatchObject([{ status: 'queue-for-later', failure: { kind: 'aborted' } }]);
      expect(failures(), 'straight after it was put').toHaveLength(1);
      isUntouched();
      await queue.deliverNow();
      await queue.runDue();
      expect(failures(), 'and read again').toHaveLength(2);
      expect(failures()[1]).toMatchObject({ kind: 'aborted', message: /^the message could not be read: / });
      isUntouched();
      messages.fault = undefined;
      await queue.deliverNow();
      await queue.runDue();
      expect(servers.map(({ messages: [one] }) => one?.data.toString())).toEqual([long, undefined]);
      expect((await queue.counters()).active).toBe(0);
      await close();
    });

    test.each([
      ['kept with its record', 'Subject: x\r\n\r\nshort\r\n'],
      ['in the store that is there by default', long],
    ])('a body %s is of the size that the record says', async (_, message) => {
      const { name, queue, servers, isUntouched, failures, close } = await setUp();
      await queue.submit({ envelope: { from: 'sender@example.net', to: ['user@a.test'] }, message }, { id: 'one' });
      const sized = (by: number) => (data: string) =>
        data.replace(/"size":(\d+)/, (_all, size: string) => `"size":${String(Number(size) + by)}`);
      let before = 0;
      for (const by of [1, -1]) {
        await place.rewrite(name, 'one', sized(by - before));
        before = by;
        await queue.deliverNow();
        await queue.runDue();
        expect(failures()).toHaveLength(by === 1 ? 1 : 2);
        isUntouched();
      }
      await place.rewrite(name, 'one', sized(-before));
      await queue.deliverNow();
      await queue.runDue();
      expect(servers[0]?.messages.map(({ data }) => data.toString())).toEqual([message]);
      await close();
    });
  });
}

describe('the sweep', () => {
  const HOUR_MS = 3_600_000;

  test('goes on where one body cannot be removed, and then says so', async () => {
    const removed: string[] = [];
    const messages: MessageStore = {
      ...faultyStore(),
      list: async function* () {
        yield* await Promise.resolve(['one', 'owned', 'locked', 'two', 'locked-too', 'three']);
      },
      remove: async (key) => {
        await Promise.resolve();
        if (key.startsWith('locked')) throw new Error(`${key} is locked`);
        removed.push(key);
      },
    };
    const engine: Partial<Engine> = { ownsBody: (key) => Promise.resolve(key === 'owned') };
    const bodies = new EngineBodies(engine as Engine, messages, Infinity);
    await expect(bodies.sweep(HOUR_MS)).rejects.toThrow('an unused body was not removed: locked is locked');
    expect(removed).toEqual(['one', 'two', 'three']);
    await bodies.sweep(HOUR_MS + 1);
    expect(removed, 'once an hour').toHaveLength(3);
  });

  test('stops where nobody knows whose a body is, and removes nothing more', async () => {
    const removed: string[] = [];
    const messages: MessageStore = {
      ...faultyStore(),
      list: async function* () {
        yield* await Promise.resolve(['one', 'two', 'three']);
      },
      remove: (key) => {
        removed.push(key);
        return Promise.resolve();
      },
    };
    const engine: Partial<Engine> = {
      ownsBody: (key) => (key === 'one' ? Promise.resolve(false) : Promise.reject(new Error('the engine is away'))),
    };
    await expect(new EngineBodies(engine as Engine, messages, Infinity).sweep(HOUR_MS)).rejects.toThrow('is away');
    expect(removed).toEqual(['one']);
  });
});
