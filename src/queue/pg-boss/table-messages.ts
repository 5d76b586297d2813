/**
 * Long bodies in a table, piece by piece: the `MessageStore` of those who have PostgreSQL anyway.
 */
import { Readable } from 'node:stream';
import type { Clock } from '../../delivery/system-clock.js';
import type { MessageStore } from '../engine/message-store.js';
import type { PgRunner } from './pg-pool.js';
import type { Tables } from './pg-schema.js';

const LISTED_AT_ONCE = 1000;

/** @param ready resolves when the tables are there */
export function tableMessages(
  runner: PgRunner,
  { piece }: Tables,
  clock: Clock,
  ready: () => Promise<void>,
): MessageStore {
  async function* read(key: string): AsyncGenerator<Uint8Array, void, undefined> {
    for (let part = 0; ; part++) {
      const { rows } = await runner.query(`SELECT bytes FROM ${piece} WHERE key = $1 AND part = $2`, [key, part]);
      const [row] = rows as { bytes: Uint8Array }[];
      if (row) yield row.bytes;
      else if (part === 0) throw new Error('the body is missing');
      // Whether that was all, who reads knows by the size.
      else return;
    }
  }
  const remove = async (key: string): Promise<void> => {
    await runner.query(`DELETE FROM ${piece} WHERE key = $1`, [key]);
  };
  return {
    put: async (key, body) => {
      await ready();
      let part = 0;
      try {
        for await (const bytes of body) {
          const values = [key, part++, bytes, clock.now()];
          await runner.query(`INSERT INTO ${piece} (key, part, bytes, put_at) VALUES ($1, $2, $3, $4)`, values);
        }
      } catch (error) {
        await remove(key).catch(() => undefined);
        throw error;
      }
    },
    open: (key) => Readable.from(read(key), { objectMode: false }),
    remove,
    list: async function* (before) {
      await ready();
      for (let last = ''; ;) {
        const { rows } = await runner.query(
          `SELECT key FROM ${piece} WHERE part = 0 AND key > $1 AND put_at < $2 ORDER BY key LIMIT ${String(LISTED_AT_ONCE)}`,
          [last, before],
        );
        for (const { key } of rows as { key: string }[]) yield (last = key);
        if (rows.length < LISTED_AT_ONCE) return;
      }
    },
  };
}
