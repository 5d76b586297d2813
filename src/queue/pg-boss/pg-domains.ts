/**
 * Domains in the tables: which are suspended, how much the next success wakes, and what waits for
 * a retry.
 */
import type { Suspended } from '../engine/engine.js';
import { FIRST_WAKE, nextWake } from '../wake-up.js';
import type { PgRunner } from './pg-pool.js';
import type { Tables } from './pg-schema.js';

export class PgDomains {
  readonly #runner: PgRunner;
  readonly #tables: Tables;

  constructor(runner: PgRunner, tables: Tables) {
    this.#runner = runner;
    this.#tables = tables;
  }

  async takeWake(domain: string): Promise<number> {
    const { domain: table } = this.#tables;
    const [row] = await this.#rows<{ wake_size: number | null }>(`SELECT wake_size FROM ${table} WHERE name = $1`, [
      domain,
    ]);
    const size = row?.wake_size ?? FIRST_WAKE;
    await this.#rows(
      `INSERT INTO ${table} (name, wake_size) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET wake_size = excluded.wake_size`,
      [domain, nextWake(size)],
    );
    return size;
  }

  async resetWake(domain: string): Promise<void> {
    const sql = `UPDATE ${this.#tables.domain} SET wake_size = NULL WHERE name = $1 AND wake_size IS NOT NULL`;
    await this.#rows(sql, [domain]);
  }

  async suspended(): Promise<Suspended> {
    const rows = await this.#rows<{ name: string }>(`SELECT name FROM ${this.#tables.domain} WHERE suspended`);
    const domains = new Set(rows.map(({ name }) => name));
    return { all: domains.has('*'), domains };
  }

  async suspend(domain: string | undefined, suspended: boolean): Promise<boolean> {
    const { domain: table } = this.#tables;
    const rows = await this.#rows(
      `INSERT INTO ${table} AS d (name, suspended) VALUES ($1, $2)
       ON CONFLICT (name) DO UPDATE SET suspended = excluded.suspended WHERE d.suspended <> excluded.suspended
       RETURNING suspended`,
      [domain ?? '*', suspended],
    );
    // A row made by resuming what was never suspended changes nothing.
    return rows.length > 0;
  }

  async retriesAt(domains: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const rows = await this.#rows<{ domain: string; at: number }>(
      `SELECT d AS domain, at FROM unnest($1::text[]) AS d CROSS JOIN LATERAL
         (SELECT retry_at AS at FROM ${this.#tables.entry} WHERE domain = d AND retry_at IS NOT NULL
          ORDER BY retry_at LIMIT 1) AS first`,
      [domains],
    );
    return new Map(rows.map(({ domain, at }) => [domain, at]));
  }

  /** Entries that wait for a retry, those due first before others. */
  waiting(domain: string, limit: number): Promise<{ readonly seq: number; readonly dueAt: number }[]> {
    return this.#rows(
      `SELECT seq::float8 AS seq, retry_at AS "dueAt" FROM ${this.#tables.entry}
       WHERE domain = $1 AND retry_at IS NOT NULL ORDER BY retry_at LIMIT $2`,
      [domain, limit],
    );
  }

  async #rows<Row>(sql: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.#runner.query(sql, values)).rows as Row[];
  }
}
