/**
 * Every `MessageStore` of ours keeps the contract: a directory, Redis, a table of PostgreSQL, and
 * the bucket of the example.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { directoryMessages, type MessageStore } from 'smtp-routes/queue';
import { messageStoreContract, ScriptedTransport } from 'smtp-routes/testing';
import { Deliverer, defineRoutes } from 'smtp-routes';
import { bucketMessages, httpBucket, startBucket } from '../../examples/bucket-messages.js';
import { systemClock } from '../../src/delivery/system-clock.js';
import { engines, type EnginePlace } from './engine-places.js';

interface Opened {
  readonly messages: MessageStore;
  readonly elsewhere: MessageStore;
  readonly close: () => void | Promise<void>;
}

function keepsTheContract(open: () => Opened | Promise<Opened>): void {
  for (const { name, run } of messageStoreContract) test(name, { timeout: 30_000 }, () => run(open));
}

function inDirectory(): Opened & { readonly folder: string } {
  const folder = mkdtempSync(join(tmpdir(), 'smtp-routes-bodies-'));
  return {
    folder,
    messages: directoryMessages(folder),
    elsewhere: directoryMessages(folder),
    close: () => {
      rmSync(folder, { recursive: true });
    },
  };
}

describe('in a directory', () => {
  keepsTheContract(inDirectory);

  test('what a crash left half-written is listed, and removed', async () => {
    const { folder, messages, close } = inDirectory();
    writeFileSync(join(folder, 'half.part'), 'x');
    for await (const key of messages.list(Date.now() + 1000)) await messages.remove(key);
    expect(readdirSync(folder)).toEqual([]);
    await close();
  });

  test('names that are no keys are left alone, and nothing stops at them', async () => {
    const { folder, messages, close } = inDirectory();
    const foreign = ['.nfs0001', 'README.txt', '.hidden.part', 'x y.part', '.part', 'ä', 'x'.repeat(101)].sort();
    for (const name of foreign) writeFileSync(join(folder, name), 'x');
    mkdirSync(join(folder, 'lost+found'));
    mkdirSync(join(folder, 'folder'));
    await messages.put('one', Readable.from([Buffer.from('x')]));
    const keys: string[] = [];
    for await (const key of messages.list(Date.now() + 1000)) {
      keys.push(key);
      await messages.remove(key);
    }
    expect(keys).toEqual(['one']);
    expect(readdirSync(folder).sort()).toEqual([...foreign, 'folder', 'lost+found'].sort());
    await close();
  });

  test('keys lead nowhere else, and a directory that is not there is told of', async () => {
    const { folder, messages, close } = inDirectory();
    const body = (): Readable => Readable.from([Buffer.from('x')]);
    await expect(messages.put('../escaped', body())).rejects.toThrow(TypeError);
    await expect(directoryMessages(join(folder, 'missing')).put('one', body())).rejects.toMatchObject({
      code: 'ENOENT',
    });
    expect(() => directoryMessages('')).toThrow(/path of a directory/);
    await close();
  });
});

describe('in a bucket', () => {
  keepsTheContract(async () => {
    const { url, close } = await startBucket();
    return { messages: bucketMessages(httpBucket(url)), elsewhere: bucketMessages(httpBucket(url)), close };
  });

  test('what else lies in the bucket is left alone', async () => {
    const { url, close } = await startBucket();
    const bucket = httpBucket(url);
    const messages = bucketMessages(bucket);
    for (const key of ['logs/today', 'one']) await bucket.putObject(key, Buffer.from('x'));
    await messages.put('one', Readable.from([Buffer.from('y')]));
    for await (const key of messages.list(Date.now() + 1000)) await messages.remove(key);
    const left: string[] = [];
    for await (const { key } of bucket.listObjects('')) left.push(key);
    expect(left).toEqual(['logs/today', 'one']);
    await close();
  });
});

for (const { name, missing, start } of engines) {
  describe.skipIf(missing !== undefined)(`by default on ${name} ${missing ?? ''}`, () => {
    let place: EnginePlace;
    let count = 0;
    beforeAll(async () => {
      place = await start();
    }, 60_000);
    afterAll(() => place[Symbol.asyncDispose]());

    keepsTheContract(async () => {
      const queue = `bodies-${String(++count)}`;
      // The tables are there once a queue was.
      const routes = defineRoutes({ relays: {}, routes: [] });
      const deliverer = new Deliverer({ routes, transport: new ScriptedTransport() });
      const opened = place.open(queue, { deliverer });
      await opened.counters();
      await opened.close();
      const messages = place.messages(queue, systemClock);
      return { messages, elsewhere: place.messages(queue, systemClock), close: () => undefined };
    });
  });
}
