/**
 * The script that carries out steps, on a real Redis: batches of any size. Redis before 7 takes a
 * million arguments and cuts the connection of who sends more; and it serves nobody while it runs.
 */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RedisClient } from 'smtp-routes/queue/bullmq';
import { guarded, type Guarded } from '../../../src/queue/bullmq/redis.js';
import { redisMissing, startRedis, type RedisServer } from '../../redis-server.js';

describe.skipIf(redisMissing !== undefined)(`a script of Redis ${redisMissing ?? ''}`, { timeout: 60_000 }, () => {
  let server: RedisServer;
  let connection: Redis;
  beforeAll(async () => {
    server = await startRedis();
    connection = new Redis(server.port, '127.0.0.1', { maxRetriesPerRequest: null });
  }, 60_000);
  afterAll(async () => {
    connection.disconnect();
    await server[Symbol.asyncDispose]();
  });

  /** A new message, with so many commands of five words each. */
  const step = (seq: number, commands: number, id = `id-${String(seq)}`): Guarded => ({
    guard: { ids: 'ids', ended: 'ended', id, seq },
    commands: [
      ['HSET', 'ids', id, seq],
      ...Array.from({ length: commands }, (_, i) => ['ZADD', `set-${String(seq)}`, i, String(i)]),
    ],
  });

  function counting(): { readonly client: RedisClient; readonly sent: number[] } {
    const sent: number[] = [];
    const redis: RedisClient = connection;
    const client: RedisClient = {
      call: (command, ...args) => {
        sent.push(args.flat().length);
        return redis.call(command, ...args);
      },
      callBuffer: (command, ...args) => redis.callBuffer(command, ...args),
    };
    return { client, sent };
  }

  test('a step of more than a million words', async () => {
    const { client, sent } = counting();
    expect(await guarded(client, [step(1, 250_000)])).toEqual([true]);
    expect(await connection.zcard('set-1')).toBe(250_000);
    expect(Math.max(...sent)).toBeLessThan(10);
  });

  test('a large batch goes in several scripts, in order', async () => {
    const { client, sent } = counting();
    const ids = ['a', 'b', 'a', 'c', 'b'];
    const steps = ids.map((id, i) => step(10 + i, 6_000, id));
    expect(await guarded(client, steps)).toEqual([true, true, false, true, false]);
    expect(await connection.hmget('ids', 'a', 'b', 'c')).toEqual(['10', '11', '13']);
    expect(await connection.exists('set-12', 'set-14')).toBe(0);
    expect(sent.length).toBeGreaterThan(2);
  });

  test('bytes arrive as they are', async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const guard = { ids: 'ids', ended: 'ended', id: 'bytes', seq: 20 };
    const commands = [
      ['HSET', 'ids', 'bytes', 20],
      ['HSET', 'bytes', 'é', new Uint8Array(bytes), 'empty', ''],
    ];
    expect(await guarded(connection, [{ guard, commands }])).toEqual([true]);
    expect(await connection.hgetBuffer('bytes', 'é')).toEqual(bytes);
    expect(await connection.hget('bytes', 'empty')).toBe('');
  });
});
