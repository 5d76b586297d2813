/**
 * Long bodies in Redis, piece by piece: the `MessageStore` of those who give none.
 */
import { Readable } from 'node:stream';
import type { Clock } from '../../delivery/system-clock.js';
import type { MessageStore } from '../engine/message-store.js';
import type { RedisClient } from './redis.js';

const LISTED_AT_ONCE = 1000;

/** @param base begins the names of keys */
export function redisMessages(redis: RedisClient, base: string, clock: Clock): MessageStore {
  const list = `${base}list`;
  const keyOf = (key: string): string => `${base}${key}`;
  async function* read(key: string): AsyncGenerator<Uint8Array, void, undefined> {
    for (let part = 0; ; part++) {
      const bytes = (await redis.callBuffer('HGET', keyOf(key), String(part))) as Buffer | null;
      if (bytes) yield bytes;
      else if (part === 0) throw new Error('the body is missing');
      // Whether that was all, who reads knows by the size.
      else return;
    }
  }
  const remove = async (key: string): Promise<void> => {
    await redis.call('DEL', keyOf(key));
    await redis.call('ZREM', list, key);
  };
  return {
    put: async (key, body) => {
      // Listed first, so that it is swept whatever happens.
      await redis.call('ZADD', list, clock.now(), key);
      let part = 0;
      try {
        for await (const bytes of body) await redis.call('HSET', keyOf(key), String(part++), Buffer.from(bytes));
      } catch (error) {
        await remove(key).catch(() => undefined);
        throw error;
      }
    },
    open: (key) => Readable.from(read(key), { objectMode: false }),
    remove,
    list: async function* (before) {
      // As many as there are now: who lists may remove what was listed.
      const keys: string[] = [];
      for (let from = 0; from === keys.length; from += LISTED_AT_ONCE) {
        const range = ['-inf', `(${String(before)}`, 'BYSCORE', 'LIMIT', from, LISTED_AT_ONCE] as const;
        keys.push(...((await redis.call('ZRANGE', list, ...range)) as string[]));
      }
      yield* keys;
    },
  };
}
