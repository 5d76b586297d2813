/**
 * Records in the tables, written together with their index, their counts and their jobs: a whole
 * batch at a time, with one statement for each kind of step. Everything here runs within one
 * transaction.
 */
import type { Arrival, Change, RecordState } from '../engine/engine.js';
import { holderOf, retryAt, type Alarm, type MailRecord } from '../engine/mail-record.js';
import { addArrivals } from './pg-arrivals.js';
import type { PgBossJobs, JobMove } from './pg-boss-jobs.js';
import type { PgNumbers } from './pg-numbers.js';
import type { PgRunner } from './pg-pool.js';
import type { Tables } from './pg-schema.js';
import { runWithValues, valuesOf } from './pg-values.js';

/** `tried`: the message's number, if it was carried out before and nobody knows whether that holds. */
export type PgStep =
  | { readonly do: 'add'; readonly arrival: Arrival; tried?: number }
  | { readonly do: 'change'; readonly change: Change; tried?: number }
  | { readonly do: 'postpone'; readonly stored: RecordState; readonly alarm: Alarm | undefined };

type Ended = Change & { readonly to: undefined };
type Altered = Change & { readonly to: MailRecord };

/** The message that the step is about; of a new one there is no number yet. */
export function messageOf(step: PgStep): number | undefined {
  if (step.do === 'add') return undefined;
  return step.do === 'change' ? step.change.before.seq : step.stored.seq;
}

export class PgRecords {
  readonly #tables: Tables;
  readonly #jobs: PgBossJobs;
  readonly #numbers: PgNumbers;

  constructor(tables: Tables, jobs: PgBossJobs, numbers: PgNumbers) {
    this.#tables = tables;
    this.#jobs = jobs;
    this.#numbers = numbers;
  }

  /**
   * Answers the number of each step's message. Undefined: the name is known, or the record was
   * changed meanwhile, and nothing was done.
   *
   * @param steps one for each message at most
   */
  async carryOut(client: PgRunner, steps: readonly PgStep[]): Promise<(number | undefined)[]> {
    const changes = steps.flatMap((step) => (step.do === 'change' ? step.change : []));
    const postponed = steps.flatMap((step) => (step.do === 'postpone' ? step : []));
    const done = new Set([
      ...(await this.#alter(client, changes.filter(isAltered))),
      ...(await this.#end(client, changes.filter(isEnded))),
      ...(await this.#postpone(client, postponed)),
    ]);
    const changed = changes.filter(({ before }) => done.has(before.seq));
    await this.#index(client, changed.filter(isAltered));
    const added = await addArrivals(client, this.#tables, [
      ...steps.flatMap((step) => (step.do === 'add' ? step.arrival : [])),
      ...changed.flatMap(({ mail }) => mail),
    ]);
    await this.#numbers.add(
      client,
      [...changed, ...added.keys()].flatMap((one) => one.changes),
    );
    await this.#jobs.move(client, [
      ...changed.flatMap(moveOf),
      ...postponed
        .filter(({ stored }) => done.has(stored.seq))
        .map(({ stored: { seq, alarm }, alarm: after }) => ({ seq, before: alarm, after })),
      ...[...added].map(([{ alarm }, seq]) => ({ seq, before: undefined, after: alarm })),
    ]);
    const held = await this.#held(client, steps, added, done);
    return steps.map((step) => {
      const of = messageOf(step) ?? NaN;
      const seq = (step.do === 'add' ? added.get(step.arrival) : done.has(of) ? of : undefined) ?? held.get(step);
      if (seq !== undefined && step.do !== 'postpone') step.tried = seq;
      return seq;
    });
  }

  /** Of what found nothing to do, what an earlier try has done, whose commit was not heard of. */
  async #held(
    client: PgRunner,
    steps: readonly PgStep[],
    added: ReadonlyMap<Arrival, number>,
    done: ReadonlySet<number>,
  ): Promise<Map<PgStep, number>> {
    const asked = steps.flatMap((step): [PgStep, number, number | undefined][] => {
      if (step.do === 'postpone' || step.tried === undefined) return [];
      if (step.do === 'add') return added.has(step.arrival) ? [] : [[step, step.tried, 0]];
      const { to, next } = step.change;
      return done.has(step.tried) ? [] : [[step, step.tried, to && next]];
    });
    if (asked.length === 0) return new Map();
    const { rows } = await client.query(
      `SELECT seq::float8 AS seq, version FROM ${this.#tables.message} WHERE seq = ANY($1::bigint[])`,
      [asked.map(([, seq]) => seq)],
    );
    const versions = new Map((rows as { seq: number; version: number }[]).map(({ seq, version }) => [seq, version]));
    return new Map(asked.flatMap(([step, seq, next]) => (versions.get(seq) === next ? [[step, seq] as const] : [])));
  }

  async #alter(client: PgRunner, changes: readonly Altered[]): Promise<number[]> {
    if (changes.length === 0) return [];
    const { text, values } = valuesOf(
      ['bigint', 'int', 'int', 'text', 'float8', 'text', 'text'],
      inOrder(changes).map(({ before: { seq, version }, to, next, alarm }) => [
        seq,
        version,
        next,
        JSON.stringify(to),
        alarm?.at,
        alarm?.lane,
        holderOf(to),
      ]),
    );
    return seqsOf(
      await client.query(
        `UPDATE ${this.#tables.message} m
         SET version = c.next, data = c.data, alarm_at = c.alarm_at, lane = c.lane, holder = c.holder
         FROM (VALUES ${text}) AS c (seq, version, next, data, alarm_at, lane, holder)
         WHERE m.seq = c.seq AND m.version = c.version RETURNING m.seq::float8 AS seq`,
        values,
      ),
    );
  }

  async #end(client: PgRunner, changes: readonly Ended[]): Promise<number[]> {
    if (changes.length === 0) return [];
    const { message, inline, entry, ended } = this.#tables;
    const { text, values } = valuesOf(
      ['bigint', 'int', 'text', 'float8'],
      inOrder(changes).map(({ before: { seq, version }, from, now }) => [
        seq,
        version,
        from.named ? from.message.id : undefined,
        now,
      ]),
    );
    return seqsOf(
      await client.query(
        `WITH c (seq, version, id, at) AS (VALUES ${text}),
         m AS (DELETE FROM ${message} m USING c WHERE m.seq = c.seq AND m.version = c.version RETURNING m.seq),
         e AS (DELETE FROM ${entry} USING m WHERE ${entry}.seq = m.seq),
         i AS (DELETE FROM ${inline} USING m WHERE ${inline}.seq = m.seq),
         n AS (INSERT INTO ${ended} (id, at) SELECT c.id, c.at FROM c JOIN m USING (seq) WHERE c.id IS NOT NULL
           ON CONFLICT (id) DO UPDATE SET at = excluded.at)
         SELECT seq::float8 AS seq FROM m`,
        values,
      ),
    );
  }

  async #postpone(client: PgRunner, steps: readonly (PgStep & { do: 'postpone' })[]): Promise<number[]> {
    if (steps.length === 0) return [];
    const { text, values } = valuesOf(
      ['bigint', 'int', 'float8', 'text'],
      steps.map(({ stored: { seq, version }, alarm }) => [seq, version, alarm?.at, alarm?.lane]),
    );
    return seqsOf(
      await client.query(
        `UPDATE ${this.#tables.message} m SET version = m.version + 1, alarm_at = c.alarm_at, lane = c.lane
         FROM (VALUES ${text}) AS c (seq, version, alarm_at, lane)
         WHERE m.seq = c.seq AND m.version = c.version RETURNING m.seq::float8 AS seq`,
        values,
      ),
    );
  }

  /** Brings the index up to the records. New mail that goes out at its first attempt never changes it. */
  async #index(client: PgRunner, changes: readonly Altered[]): Promise<void> {
    const gone: [number, number][] = [];
    const moved: [number, number, number | undefined][] = [];
    for (const { before, from, to } of changes) {
      const after = new Map(to.entries.map((one) => [one.n, one]));
      for (const one of from.entries) {
        const now = after.get(one.n);
        if (!now) gone.push([before.seq, one.n]);
        else if (retryAt(now) !== retryAt(one)) moved.push([before.seq, one.n, retryAt(now)]);
      }
    }
    const { entry } = this.#tables;
    await runWithValues(['bigint', 'int'], gone, ({ text, values }) =>
      client.query(
        `DELETE FROM ${entry} e USING (VALUES ${text}) AS c (seq, n) WHERE e.seq = c.seq AND e.n = c.n`,
        values,
      ),
    );
    await runWithValues(['bigint', 'int', 'float8'], moved, ({ text, values }) =>
      client.query(
        `UPDATE ${entry} e SET retry_at = c.at FROM (VALUES ${text}) AS c (seq, n, at) WHERE e.seq = c.seq AND e.n = c.n`,
        values,
      ),
    );
  }
}

function isAltered(change: Change): change is Altered {
  return change.to !== undefined;
}

function isEnded(change: Change): change is Ended {
  return change.to === undefined;
}

function moveOf({ before: { seq, alarm }, to, alarm: after, job }: Change): JobMove[] {
  return job === 'set' || !to ? [{ seq, before: alarm, after: to ? after : undefined }] : [];
}

/** Rows are locked in one order, so that two processes do not wait for each other. */
function inOrder<T extends Change>(changes: readonly T[]): T[] {
  return [...changes].sort((a, b) => a.before.seq - b.before.seq);
}

function seqsOf({ rows }: { readonly rows: readonly unknown[] }): number[] {
  return (rows as { seq: number }[]).map(({ seq }) => seq);
}
