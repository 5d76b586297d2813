/**
 * The servers that the engines of the queue stand on come up, keep what they were told over a stop
 * without ceremony, and are gone afterwards.
 */
import { Redis } from 'ioredis';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { answers } from './free-port.js';
import { postgresMissing, startPostgres } from './postgres-server.js';
import { redisMissing, startRedis } from './redis-server.js';

describe.skipIf(redisMissing !== undefined)(`Redis ${redisMissing ?? ''}`, () => {
  test('keeps what it acknowledged over a kill', { timeout: 60_000 }, async () => {
    const server = await startRedis();
    const client = new Redis(server.port, '127.0.0.1', { lazyConnect: true });
    client.on('error', () => undefined);
    await client.set('key', 'value');
    await server.restart();
    expect(await client.get('key')).toBe('value');
    client.disconnect();
    await server[Symbol.asyncDispose]();
    expect(await answers(server.port)).toBe(false);
  });
});

describe.skipIf(postgresMissing !== undefined)(`PostgreSQL ${postgresMissing ?? ''}`, () => {
  test('keeps what it acknowledged over a stop in mid-work', { timeout: 60_000 }, async () => {
    const server = await startPostgres();
    await server.create('mail');
    const pool = new pg.Pool({ connectionString: server.connectionString('mail') });
    pool.on('error', () => undefined);
    await pool.query('CREATE TABLE kept (value text)');
    await pool.query("INSERT INTO kept VALUES ('value')");
    await server.restart();
    expect((await pool.query('SELECT value FROM kept')).rows).toEqual([{ value: 'value' }]);
    await pool.end();
    await server[Symbol.asyncDispose]();
    expect(await answers(server.port)).toBe(false);
  });
});
