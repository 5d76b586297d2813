/**
 * Messages as jobs of pg-boss: two queues of it, a job for each message. A job is moved in time by
 * being deleted and sent again under the same id, within the transaction that changes the message.
 */
import type { Alarm, Lane } from '../engine/mail-record.js';
import { QueueStorageError } from '../storage-error.js';
import type { PgRunner } from './pg-pool.js';

interface BossDb {
  executeSql(text: string, values: unknown[]): Promise<{ rows: unknown[] }>;
}

interface WithDb {
  readonly db: BossDb;
}

interface BossJob {
  readonly id: string;
  readonly data: object | null;
}

type GetOptions = Partial<WithDb> & { readonly includeArchive: boolean };

/** An instance of pg-boss 10 or 12, started, by what it can do. */
export interface Boss {
  createQueue(name: string, options?: object): Promise<unknown>;
  getQueue(name: string): Promise<object | null>;
  /** pg-boss 10: jobs, options; pg-boss 12: the queue's name, jobs, options. */
  insert(...args: never[]): Promise<unknown>;
  fetch(name: string, options: object): Promise<BossJob[]>;
  fail(name: string, ids: string[], output: object, options: object): Promise<unknown>;
  deleteJob(name: string, ids: string[], options: object): Promise<unknown>;
  getJobById(name: string, id: string, options: GetOptions): Promise<{ readonly state: string } | null>;
  on?(event: 'error', listener: (error: Error) => void): unknown;
  /** pg-boss 10: hands on the jobs of silent workers. */
  expire?(): Promise<unknown>;
  /** pg-boss 12: the same, of one queue. */
  supervise?(name?: string): Promise<unknown>;
}

/** From where to where the job of a message goes. Undefined: there is none. */
export interface JobMove {
  readonly seq: number;
  readonly before: Alarm | undefined;
  readonly after: Alarm | undefined;
}

/**
 * pg-boss 10 and the first of 12 sort all that is due by its age to take the first few, so that a
 * backlog slows itself down. By its time it is found in their own index. Where the words are others,
 * nothing is changed.
 */
const BY_AGE = 'ORDER BY created_on, id';
const BY_TIME = 'ORDER BY start_after';
const LANES = ['new', 'retry'] as const;
/** As pg-boss has it. */
const LEAST_LEASE_MS = 1_000;
/** How often it is tried is ours to say: a job that ran out of its worker's time is not a failed one. */
const ENDLESS = 1_000_000_000;
/** What nobody fetched for so long pg-boss would delete. Each alarm begins it again. */
const RETENTION_SECONDS = 10 * 365 * 24 * 3600;
/** PostgreSQL's word for it, and how many in a row are bad luck. */
const DEADLOCK = '40P01';
const DEADLOCKS = 100;

export class PgBossJobs {
  readonly #boss: Boss;
  readonly #name: string;
  /** How long a job that was fetched is its worker's. */
  readonly leaseMs: number;

  constructor(boss: Boss, name: string, leaseMs: number) {
    this.#boss = boss;
    this.#name = name;
    this.leaseMs = Math.max(LEAST_LEASE_MS, leaseMs);
  }

  /** Answers the names of its queues. */
  async open(): Promise<string[]> {
    const queues = LANES.map((lane) => this.#queue(lane));
    for (const queue of queues) {
      // To make one deadlocks with the making of any other in pg-boss 10. Each round one of them gets through.
      for (let rounds = DEADLOCKS; rounds > 0 && !(await this.#isKnown(queue)); rounds--) {
        await this.#boss.createQueue(queue).catch((error: unknown) => {
          if ((error as { readonly code?: unknown }).code !== DEADLOCK || rounds === 1) throw error;
        });
      }
      // 12 reads up on a queue once, by a connection of its own: not while a transaction has the last one.
      await this.#boss.getJobById(queue, jobId(0), { includeArchive: false });
    }
    return queues;
  }

  async #isKnown(queue: string): Promise<boolean> {
    try {
      return (await this.#boss.getQueue(queue)) !== null;
    } catch (error) {
      // What 12 says, and what becomes of 10.
      if (!(error instanceof TypeError) && !/not opened|not initialized/.test((error as Error).message)) throw error;
      throw new QueueStorageError('UNAVAILABLE', 'pg-boss is not started: `await boss.start()` first', error);
    }
  }

  /** Of many messages at once: by lane, one statement to delete and one to insert. */
  async move(runner: PgRunner, moves: readonly JobMove[]): Promise<void> {
    const db = dbOf(runner);
    for (const lane of LANES) {
      const gone = moves.filter(({ before }) => before?.lane === lane).map(({ seq }) => jobId(seq));
      if (gone.length > 0) await this.#boss.deleteJob(this.#queue(lane), gone, { db });
    }
    for (const lane of LANES) {
      const jobs = moves.flatMap(({ seq, after }) => (after?.lane === lane ? this.#job(seq, after) : []));
      if (jobs.length > 0) await this.#insert(runner, lane, jobs);
    }
  }

  #job(seq: number, { at }: Alarm): object {
    return {
      id: jobId(seq),
      data: { seq },
      startAfter: new Date(Math.ceil(at)),
      expireInSeconds: this.leaseMs / 1000,
      retryLimit: ENDLESS,
      retryDelay: 0,
      // The one of pg-boss 12, the other of 10.
      retentionSeconds: RETENTION_SECONDS,
      keepUntil: new Date(at + RETENTION_SECONDS * 1000),
    };
  }

  async #insert(runner: PgRunner, lane: Lane, jobs: readonly object[]): Promise<void> {
    const insert = this.#boss.insert.bind(this.#boss) as (...args: unknown[]) => Promise<unknown>;
    const name = this.#queue(lane);
    if (!this.#boss.expire) {
      await insert(name, jobs, { db: dbOf(runner) });
      return;
    }
    const inserted: (number | null)[] = [];
    const executeSql: BossDb['executeSql'] = async (text, values) => {
      const result = await runner.query(text, values);
      inserted.push(result.rowCount);
      return result;
    };
    await insert(
      jobs.map((job) => ({ ...job, name })),
      { db: { executeSql } },
    );
    // It says nothing if its queue was deleted.
    if (inserted.at(-1) !== jobs.length) throw new Error(`pg-boss did not take jobs for ${name}`);
  }

  /** Numbers of messages whose jobs are ours for the length of a lease. */
  async fetch(runner: PgRunner, lane: Lane, limit: number): Promise<number[]> {
    const seqs: number[] = [];
    const foreign = new Set<string>();
    for (let isNew = true; isNew;) {
      const jobs = await this.#take(runner, lane, limit - seqs.length);
      const others = jobs.flatMap(({ id, data }) => {
        const seq = seqOf(id, data);
        if (seq === undefined) return id;
        seqs.push(seq);
        return [];
      });
      // Failed, as whoever added them would look for. If they are to be retried they come back.
      const output = { message: 'not of smtp-routes, whose queue this is' };
      if (others.length > 0) await this.#boss.fail(this.#queue(lane), others, output, { db: dbOf(runner) });
      isNew = others.some((id) => !foreign.has(id));
      for (const id of others) foreign.add(id);
    }
    return seqs;
  }

  async #take(runner: PgRunner, lane: Lane, batchSize: number): Promise<BossJob[]> {
    // pg-boss takes an error of the database for "nothing to do".
    let trouble: unknown;
    const db: BossDb = {
      executeSql: async (text, values) => {
        try {
          return await runner.query(text.replace(BY_AGE, BY_TIME), values);
        } catch (error) {
          trouble = error;
          throw error;
        }
      },
    };
    // All are of one priority; only 10 has to be told, and late 12 warns of it.
    const order = this.#boss.expire && { priority: false };
    const jobs = await this.#boss.fetch(this.#queue(lane), { batchSize, db, ...order });
    if (trouble !== undefined) throw trouble as Error;
    return jobs;
  }

  /** Whether pg-boss will bring the message up. */
  async isThere(runner: PgRunner, seq: number, lane: Lane): Promise<boolean> {
    const job = await this.#boss.getJobById(this.#queue(lane), jobId(seq), {
      db: dbOf(runner),
      includeArchive: false,
    });
    return job !== null && ['created', 'retry', 'active'].includes(job.state);
  }

  /** Hands on the jobs of workers that were silent for longer than their lease. */
  async handOn(): Promise<void> {
    if (this.#boss.expire) await this.#boss.expire();
    else for (const lane of LANES) await this.#boss.supervise?.(this.#queue(lane));
  }

  #queue(lane: Lane): string {
    // No name that the app may give us has a dot.
    return `${this.#name}.${lane}`;
  }
}

function dbOf(runner: PgRunner): WithDb['db'] {
  return { executeSql: (text, values) => runner.query(text, values) };
}

/** A job's id is the message's number, so that nothing needs to be looked up. */
function jobId(seq: number): string {
  return `00000000-0000-4000-8000-${seq.toString(16).padStart(12, '0')}`;
}

/** Undefined: the job is not ours. */
function seqOf(id: string, data: object | null): number | undefined {
  const seq = (data as { readonly seq?: unknown } | null)?.seq;
  return typeof seq === 'number' && id === jobId(seq) ? seq : undefined;
}
