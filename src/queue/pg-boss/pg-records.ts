/**
 * Records in the tables, written together with their index, their counts and their jobs. Everything
 * here runs within a transaction.
 */
import type { Arrival, Change, StoredRecord } from '../engine/engine.js';
import { holderOf, retryAt, type Alarm, type MailRecord } from '../engine/mail-record.js';
import type { PgBossJobs } from './pg-boss-jobs.js';
import type { PgNumbers } from './pg-numbers.js';
import type { PgRunner } from './pg-pool.js';
import type { Tables } from './pg-schema.js';

export class PgRecords {
  readonly #tables: Tables;
  readonly #jobs: PgBossJobs;
  readonly #numbers: PgNumbers;

  constructor(tables: Tables, jobs: PgBossJobs, numbers: PgNumbers) {
    this.#tables = tables;
    this.#jobs = jobs;
    this.#numbers = numbers;
  }

  async add(client: PgRunner, { record, alarm, inline, changes }: Arrival): Promise<number | undefined> {
    const { message, entry, inline: bodies, ended } = this.#tables;
    const { id } = record.message;
    const data = JSON.stringify(record);
    const values = [id, data, record.body ?? null, alarm?.at ?? null, alarm?.lane ?? null, holderOf(record) ?? null];
    const { rows } = await client.query(
      `INSERT INTO ${message} (id, data, body, alarm_at, lane, holder) VALUES ($1, $2, $3, $4, $5, $6)
       ON CONFLICT (id) DO NOTHING RETURNING seq::float8 AS seq`,
      values,
    );
    const seq = (rows[0] as { seq: number } | undefined)?.seq;
    if (seq === undefined) return undefined;
    // Looked for only now: who ended it held the name until then.
    if (record.named && (await client.query(`SELECT 1 FROM ${ended} WHERE id = $1`, [id])).rows.length > 0) {
      await client.query(`DELETE FROM ${message} WHERE seq = $1`, [seq]);
      return undefined;
    }
    await client.query(`INSERT INTO ${entry} (seq, n, domain) SELECT $1, * FROM unnest($2::int[], $3::text[])`, [
      seq,
      record.entries.map(({ n }) => n),
      record.entries.map((one) => one.entry.domain),
    ]);
    if (inline) await client.query(`INSERT INTO ${bodies} (seq, bytes) VALUES ($1, $2)`, [seq, inline]);
    await this.#numbers.add(client, changes);
    await this.#jobs.set(client, seq, undefined, alarm);
    return seq;
  }

  /** @param next the record's version from then on, which nobody else would choose */
  async commit(client: PgRunner, change: Change, next: number): Promise<boolean> {
    const { before, from, to, alarm, job, changes, mail, now } = change;
    const { message, inline, entry, ended } = this.#tables;
    const { seq, version } = before;
    const at = [seq, version];
    const { rowCount } = to
      ? await client.query(
          `UPDATE ${message} SET version = $3, data = $4, alarm_at = $5, lane = $6, holder = $7
           WHERE seq = $1 AND version = $2`,
          [...at, next, JSON.stringify(to), alarm?.at ?? null, alarm?.lane ?? null, holderOf(to) ?? null],
        )
      : await client.query(`DELETE FROM ${message} WHERE seq = $1 AND version = $2`, at);
    if (rowCount !== 1) return false;
    if (to) await this.#index(client, seq, from, to);
    else {
      await client.query(`DELETE FROM ${entry} WHERE seq = $1`, [seq]);
      if (from.body === undefined) await client.query(`DELETE FROM ${inline} WHERE seq = $1`, [seq]);
      if (from.named) {
        const { id } = from.message;
        await client.query(
          `INSERT INTO ${ended} (id, at) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET at = excluded.at`,
          [id, now],
        );
      }
    }
    await this.#numbers.add(client, changes);
    if (job === 'set' || !to) await this.#jobs.set(client, seq, before.alarm, to ? alarm : undefined);
    for (const one of mail) await this.add(client, one);
    return true;
  }

  async isAt(client: PgRunner, seq: number | undefined, version: number): Promise<boolean> {
    if (seq === undefined) return false;
    const sql = `SELECT 1 FROM ${this.#tables.message} WHERE seq = $1 AND version = $2`;
    return (await client.query(sql, [seq, version])).rows.length > 0;
  }

  /** Brings the index up to the record. New mail that goes out at its first attempt never changes it. */
  async #index(client: PgRunner, seq: number, from: MailRecord, to: MailRecord): Promise<void> {
    const { entry } = this.#tables;
    const after = new Map(to.entries.map((one) => [one.n, retryAt(one) ?? null]));
    for (const one of from.entries) {
      const { n } = one;
      const at = after.get(n);
      if (at === undefined) await client.query(`DELETE FROM ${entry} WHERE seq = $1 AND n = $2`, [seq, n]);
      else if (at !== (retryAt(one) ?? null)) {
        await client.query(`UPDATE ${entry} SET retry_at = $3 WHERE seq = $1 AND n = $2`, [seq, n, at]);
      }
    }
  }

  async postpone(
    client: PgRunner,
    { seq, version, alarm: before }: StoredRecord,
    alarm: Alarm | undefined,
  ): Promise<void> {
    const { rowCount } = await client.query(
      `UPDATE ${this.#tables.message} SET version = version + 1, alarm_at = $3, lane = $4 WHERE seq = $1 AND version = $2`,
      [seq, version, alarm?.at ?? null, alarm?.lane ?? null],
    );
    if (rowCount === 1) await this.#jobs.set(client, seq, before, alarm);
  }
}
