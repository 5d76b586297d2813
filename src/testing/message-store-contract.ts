/**
 * What every `MessageStore` must do, in the form of `contract.ts`: bodies are there as a whole or
 * not at all, for every worker.
 */
import { deepStrictEqual, ok, rejects } from 'node:assert/strict';
import type { MessageStore } from '../queue/engine/message-store.js';
import type { ContractCase } from './contract.js';

export interface MessageStoreSetting {
  readonly messages: MessageStore;
  /** The same store as another worker sees it. */
  readonly elsewhere: MessageStore;
  close(): void | Promise<void>;
}

/** Wider than clocks differ. */
const HOUR_MS = 3_600_000;
const PIECE = 256 * 1024;

function contractCase(
  name: string,
  check: (setting: MessageStoreSetting) => Promise<void>,
): ContractCase<MessageStoreSetting> {
  return {
    name,
    run: async (setUp) => {
      const setting = await setUp();
      try {
        await check(setting);
      } finally {
        await setting.close();
      }
    },
  };
}

async function* inPieces(...pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
  for (const piece of pieces) yield await Promise.resolve(piece);
}

async function* broken(): AsyncGenerator<Uint8Array, void, undefined> {
  yield await Promise.resolve(Buffer.alloc(PIECE, 'x'));
  throw new Error('the source broke off');
}

async function read(messages: MessageStore, key: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of messages.open(key)) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}

async function listed(messages: MessageStore, before: number): Promise<string[]> {
  const keys: string[] = [];
  for await (const key of messages.list(before)) keys.push(key);
  return keys.sort();
}

/** Bytes of every value, of no even length. */
function bytes(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 31) % 256));
}

export const messageStoreContract: readonly ContractCase<MessageStoreSetting>[] = [
  contractCase('the same bytes, any number of times, for every worker', async ({ messages, elsewhere }) => {
    const pieces = [bytes(PIECE), bytes(PIECE), bytes(12_345)];
    await messages.put('one', inPieces(...pieces));
    await messages.put('two', inPieces(bytes(1)));
    const whole = Buffer.concat(pieces);
    for (const store of [messages, elsewhere, messages]) {
      ok((await read(store, 'one')).equals(whole), 'the bytes are not those that were put');
    }
    deepStrictEqual(await read(elsewhere, 'two'), bytes(1));
  }),
  contractCase('read by several at once', async ({ messages, elsewhere }) => {
    const body = bytes(PIECE + 1);
    await messages.put('one', inPieces(body.subarray(0, PIECE), body.subarray(PIECE)));
    const copies = await Promise.all([messages, elsewhere, messages, elsewhere].map((store) => read(store, 'one')));
    ok(copies.every((copy) => copy.equals(body)));
  }),
  contractCase('a put that fails leaves nothing to open', async ({ messages, elsewhere }) => {
    await rejects(messages.put('half', broken()), /broke off/);
    await rejects(read(elsewhere, 'half'), 'a body that was not put whole was opened');
  }),
  contractCase('what is not there is an error, not an empty message', async ({ messages }) => {
    await rejects(read(messages, 'nothing'));
  }),
  contractCase('removed for every worker, and removing what is not there is no error', async (setting) => {
    const { messages, elsewhere } = setting;
    await messages.put('one', inPieces(bytes(10)));
    await messages.put('other', inPieces(bytes(20)));
    await elsewhere.remove('one');
    await messages.remove('one');
    await messages.remove('never');
    await rejects(read(messages, 'one'));
    deepStrictEqual(await read(messages, 'other'), bytes(20));
    deepStrictEqual(await listed(messages, Date.now() + HOUR_MS), ['other']);
  }),
  contractCase('lists what was put before a time, while it is removed', async ({ messages, elsewhere }) => {
    const keys = Array.from({ length: 25 }, (_, i) => `body-${String(i).padStart(2, '0')}`);
    for (const key of keys) await messages.put(key, inPieces(bytes(3)));
    deepStrictEqual(await listed(elsewhere, Date.now() + HOUR_MS), keys);
    deepStrictEqual(await listed(elsewhere, Date.now() - HOUR_MS), []);
    for await (const key of elsewhere.list(Date.now() + HOUR_MS)) await elsewhere.remove(key);
    deepStrictEqual(await listed(messages, Date.now() + HOUR_MS), []);
  }),
];
