/**
 * New messages in the tables, many at a time: records, index and bodies in one statement. Within a
 * transaction.
 */
import type { Arrival } from '../engine/engine.js';
import { holderOf } from '../engine/mail-record.js';
import type { PgRunner } from './pg-pool.js';
import type { Tables } from './pg-schema.js';
import { valuesOf } from './pg-values.js';

/** Those whose name is free, with their numbers. */
export async function addArrivals(
  client: PgRunner,
  tables: Tables,
  arrivals: readonly Arrival[],
): Promise<Map<Arrival, number>> {
  // Of two by one name the first has it.
  const byId = new Map([...arrivals].reverse().map((one) => [one.record.message.id, one]));
  if (byId.size === 0) return new Map();
  const { message, entry, inline } = tables;
  const rows = [...byId.values()].map(({ record, alarm, inline: bytes }) => [
    record.message.id,
    JSON.stringify(record),
    record.body,
    alarm?.at,
    alarm?.lane,
    holderOf(record),
    bytes,
    record.entries.map(({ n }) => n),
    record.entries.map((one) => one.entry.domain),
  ]);
  const { text, values } = valuesOf(
    ['text', 'text', 'text', 'float8', 'text', 'text', 'bytea', 'int[]', 'text[]'],
    rows,
  );
  const inserted = await client.query(
    `WITH new (id, data, body, alarm_at, lane, holder, bytes, ns, domains) AS (VALUES ${text}),
       m AS (INSERT INTO ${message} (id, data, body, alarm_at, lane, holder)
         SELECT id, data, body, alarm_at, lane, holder FROM new ON CONFLICT (id) DO NOTHING RETURNING seq, id),
       e AS (INSERT INTO ${entry} (seq, n, domain)
         SELECT seq, x.n, x.domain FROM m JOIN new USING (id), unnest(ns, domains) AS x (n, domain)),
       i AS (INSERT INTO ${inline} (seq, bytes) SELECT seq, bytes FROM m JOIN new USING (id) WHERE bytes IS NOT NULL)
       SELECT seq::float8 AS seq, id FROM m`,
    values,
  );
  const ended = await takenBack(
    client,
    tables,
    [...byId.values()].flatMap(({ record }) => (record.named ? record.message.id : [])),
  );
  const added = new Map<Arrival, number>();
  for (const { seq, id } of inserted.rows as { seq: number; id: string }[]) {
    const arrival = byId.get(id);
    if (arrival && !ended.has(id)) added.set(arrival, seq);
  }
  return added;
}

/** Of messages just stored, those whose name an earlier one had lately. Looked for only now: who ended it held the name until then. */
async function takenBack(client: PgRunner, tables: Tables, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set();
  const { message, entry, inline, ended } = tables;
  const { rows } = await client.query(
    `WITH known AS (SELECT id FROM ${ended} WHERE id = ANY($1::text[])),
       m AS (DELETE FROM ${message} m USING known WHERE m.id = known.id RETURNING m.seq),
       e AS (DELETE FROM ${entry} USING m WHERE ${entry}.seq = m.seq),
       i AS (DELETE FROM ${inline} USING m WHERE ${inline}.seq = m.seq)
       SELECT id FROM known`,
    [ids],
  );
  return new Set((rows as { id: string }[]).map(({ id }) => id));
}
