/**
 * pg-boss as an engine of the queue: records in tables, their jobs in pg-boss, and both changed in
 * one transaction, so that they never differ.
 */
import type { HostStatus, QueueCounters, TopHostsOptions } from '../delivery-queue.js';
import { Batches } from '../engine/batches.js';
import { domainTimes } from '../engine/domain-times.js';
import type { Arrival, Change, Engine, Page, RecordState, StoredRecord, Suspended } from '../engine/engine.js';
import { keyOf, placeOf, type Alarm, type Lane } from '../engine/mail-record.js';
import { REMEMBER_MS } from '../message-id.js';
import { isProblem } from '../storage-error.js';
import type { PgBossJobs } from './pg-boss-jobs.js';
import { PgDomains } from './pg-domains.js';
import { pgError } from './pg-error.js';
import { PgNumbers } from './pg-numbers.js';
import type { PgPool } from './pg-pool.js';
import { messageOf, PgRecords, type PgStep } from './pg-records.js';
import { openSchema, type Tables } from './pg-schema.js';
import { transact } from './pg-transaction.js';

/** A job this late is looked for, whether it is still there. */
const LATE_MS = 3_600_000;
const LATE_AT_ONCE = 100;
const RECORD = 'seq::float8 AS seq, version, data, alarm_at, lane';

interface RecordRow {
  readonly seq: number;
  readonly version: number;
  readonly data: string;
  readonly alarm_at: number | null;
  readonly lane: Lane | null;
  readonly bytes?: Uint8Array | null;
}

export interface PgBossEngineOptions {
  readonly pool: PgPool;
  readonly tables: Tables;
  readonly jobs: PgBossJobs;
  readonly dice: number;
}

export class PgBossEngine implements Engine {
  readonly #pool: PgPool;
  readonly #tables: Tables;
  readonly #jobs: PgBossJobs;
  readonly #batches: Batches<PgStep, number | undefined>;
  readonly #numbers: PgNumbers;
  readonly #domains: PgDomains;
  #opening: Promise<void> | undefined;

  constructor({ pool, tables, jobs, dice }: PgBossEngineOptions) {
    this.#pool = pool;
    this.#tables = tables;
    this.#jobs = jobs;
    this.#numbers = new PgNumbers(tables, dice);
    const records = new PgRecords(tables, jobs, this.#numbers);
    this.#batches = new Batches({
      commit: (steps) => transact(pool, (client) => records.carryOut(client, steps)),
      isOfAll: (error) => isProblem(pgError(error), 'UNAVAILABLE'),
      placeOf: messageOf,
    });
    this.#domains = new PgDomains(pool, tables);
  }

  /** Resolves when tables and queues are there. Tried again by whoever needs them next. */
  async ready(): Promise<void> {
    this.#opening ??= openSchema(this.#pool, this.#tables, () => this.#jobs.open());
    try {
      await this.#opening;
    } catch (error) {
      this.#opening = undefined;
      throw error;
    }
  }

  add(arrival: Arrival): Promise<number | undefined> {
    return this.#carryOut({ do: 'add', arrival });
  }

  async fetch(lane: Lane, limit: number): Promise<StoredRecord[]> {
    await this.ready();
    const seqs = await this.#jobs.fetch(this.#pool, lane, limit);
    const { message, inline } = this.#tables;
    const sql = `SELECT ${RECORD}, bytes FROM ${message} LEFT JOIN ${inline} USING (seq) WHERE seq = ANY($1::bigint[]) ORDER BY seq`;
    const records = seqs.length > 0 ? (await this.#rows<RecordRow>(sql, [seqs])).map(storedOf) : [];
    const found = new Set(records.map(({ seq }) => seq));
    const orphans = seqs.filter((seq) => !found.has(seq));
    await this.#jobs.move(
      this.#pool,
      orphans.map((seq) => ({ seq, before: { lane, at: 0 }, after: undefined })),
    );
    return records;
  }

  async commit(change: Change): Promise<boolean> {
    return (await this.#carryOut({ do: 'change', change })) !== undefined;
  }

  async postpone(stored: RecordState, alarm: Alarm | undefined): Promise<void> {
    await this.#carryOut({ do: 'postpone', stored, alarm });
  }

  async read(seqs: readonly number[]): Promise<StoredRecord[]> {
    const sql = `SELECT ${RECORD} FROM ${this.#tables.message} WHERE seq = ANY($1::bigint[]) ORDER BY seq`;
    return (await this.#rows<RecordRow>(sql, [seqs])).map(storedOf);
  }

  async inline(seqs: readonly number[]): Promise<ReadonlyMap<number, Uint8Array>> {
    const sql = `SELECT seq::float8 AS seq, bytes FROM ${this.#tables.inline} WHERE seq = ANY($1::bigint[])`;
    const rows = await this.#rows<{ seq: number; bytes: Uint8Array }>(sql, [seqs]);
    return new Map(rows.map(({ seq, bytes }) => [seq, bytes]));
  }

  async keys({ after, limit, id, domain }: Page): Promise<number[]> {
    const { message, entry } = this.#tables;
    const [where, value] =
      id !== undefined
        ? [`seq = (SELECT seq FROM ${message} WHERE id = $4) AND`, [id]]
        : domain !== undefined
          ? ['domain = $4 AND', [domain]]
          : ['', []];
    const behind = placeOf(after);
    // By the column, not by what is made of it, which is in no index.
    const rows = await this.#rows<{ seq: number; n: number }>(
      `SELECT seq::float8 AS seq, n FROM ${entry} e WHERE ${where} (seq, n) > ($1::bigint, $2::int) ORDER BY e.seq, e.n LIMIT $3`,
      [behind.seq, behind.n, limit, ...value],
    );
    return rows.map(({ seq, n }) => keyOf(seq, n));
  }

  async newest(): Promise<number> {
    const sql = `SELECT seq::float8 AS seq, n FROM ${this.#tables.entry} e ORDER BY e.seq DESC, e.n DESC LIMIT 1`;
    const [row] = await this.#rows<{ seq: number; n: number }>(sql);
    return row ? keyOf(row.seq, row.n) : 0;
  }

  async nextAlarmAt(): Promise<number | undefined> {
    const sql = `SELECT alarm_at FROM ${this.#tables.message} WHERE holder IS NULL AND alarm_at IS NOT NULL ORDER BY alarm_at LIMIT 1`;
    return (await this.#rows<{ alarm_at: number }>(sql))[0]?.alarm_at;
  }

  async holders(): Promise<string[]> {
    const sql = `SELECT DISTINCT holder FROM ${this.#tables.message} WHERE holder IS NOT NULL`;
    return (await this.#rows<{ holder: string }>(sql)).map(({ holder }) => holder);
  }

  async heldBy(holder: string, limit: number): Promise<number[]> {
    const sql = `SELECT seq::float8 AS seq FROM ${this.#tables.message} WHERE holder = $1 LIMIT $2`;
    return (await this.#rows<{ seq: number }>(sql, [holder, limit])).map(({ seq }) => seq);
  }

  forgetHolder(): Promise<void> {
    // Known by what they hold, and not otherwise.
    return Promise.resolve();
  }

  async retriesAt(domains: readonly string[]): Promise<ReadonlyMap<string, number>> {
    await this.ready();
    return await this.#domains.retriesAt(domains);
  }

  async waiting(domain: string, limit: number): Promise<{ readonly seq: number; readonly dueAt: number }[]> {
    await this.ready();
    return await this.#domains.waiting(domain, limit);
  }

  async takeWake(domain: string): Promise<number> {
    await this.ready();
    return await this.#domains.takeWake(domain);
  }

  async resetWake(domain: string): Promise<void> {
    await this.ready();
    await this.#domains.resetWake(domain);
  }

  async suspended(): Promise<Suspended> {
    await this.ready();
    return await this.#domains.suspended();
  }

  async suspend(domain: string | undefined, suspended: boolean): Promise<boolean> {
    await this.ready();
    return await this.#domains.suspend(domain, suspended);
  }

  async hostStatus(domain: string): Promise<HostStatus> {
    await this.ready();
    const status = await this.#numbers.status(this.#pool, domain);
    return { ...status, ...(await domainTimes(this, domain)) };
  }

  async topHosts(options: Required<TopHostsOptions>): Promise<HostStatus[]> {
    await this.ready();
    const domains = await this.#numbers.topDomains(this.#pool, options);
    return await Promise.all(domains.map((domain) => this.hostStatus(domain)));
  }

  async counters(): Promise<QueueCounters> {
    await this.ready();
    return await this.#numbers.counters(this.#pool);
  }

  async ownsBody(key: string): Promise<boolean> {
    return (await this.#rows(`SELECT 1 FROM ${this.#tables.message} WHERE body = $1`, [key])).length > 0;
  }

  async mend(now: number): Promise<void> {
    const { message, ended } = this.#tables;
    await this.#rows(`DELETE FROM ${ended} WHERE at < $1`, [now - REMEMBER_MS]);
    // pg-boss goes through all its jobs for this, so only where there is reason to: a lease is over,
    // or what is long due may be in the hands of a worker that died before it could claim it.
    const silent = await this.#rows(
      `SELECT 1 FROM ${message} WHERE (holder IS NOT NULL AND alarm_at <= $1) OR (holder IS NULL AND alarm_at <= $2) LIMIT 1`,
      [now, now - this.#jobs.leaseMs],
    );
    if (silent.length > 0) await this.#jobs.handOn();
    const late = await this.#rows<RecordRow>(
      `SELECT ${RECORD} FROM ${message} WHERE alarm_at < $1 ORDER BY alarm_at LIMIT $2`,
      [now - LATE_MS, LATE_AT_ONCE],
    );
    for (const stored of late.map(storedOf)) {
      const { seq, alarm } = stored;
      if (alarm && !(await this.#jobs.isThere(this.#pool, seq, alarm.lane))) await this.postpone(stored, alarm);
    }
  }

  async close(): Promise<void> {
    await this.#batches.settled();
  }

  async #carryOut(step: PgStep): Promise<number | undefined> {
    await this.ready();
    return await this.#batches.run(step);
  }

  async #rows<Row>(sql: string, values: unknown[] = []): Promise<Row[]> {
    await this.ready();
    return (await this.#pool.query(sql, values)).rows as Row[];
  }
}

function storedOf({ seq, version, data, alarm_at, lane, bytes }: RecordRow): StoredRecord {
  const alarm = alarm_at !== null && lane !== null && { alarm: { at: alarm_at, lane } };
  return { seq, version, data, ...alarm, ...(bytes && { inline: bytes }) };
}
