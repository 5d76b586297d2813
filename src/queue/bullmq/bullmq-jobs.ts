/**
 * Messages as jobs of BullMQ: two queues of it, a job for each message, fetched one by one under a
 * lock of ours. Steps of BullMQ come after those of the records and may fail by themselves: then the
 * job rings too early, or is found missing later.
 */
import { randomUUID } from 'node:crypto';
import { Queue, UnrecoverableError, Worker, type ConnectionOptions, type Job, type JobsOptions } from 'bullmq';
import type { Alarm, Lane } from '../engine/mail-record.js';

interface Data {
  readonly seq: number;
}

interface Held {
  readonly job: Job<Data>;
  readonly token: string;
  readonly lane: Lane;
}

export interface BullmqJobsOptions {
  readonly connection: ConnectionOptions;
  readonly prefix: string;
  readonly name: string;
  readonly leaseMs: number;
  readonly now: () => number;
}

const LANES = ['new', 'retry'] as const;
/** A job whose worker fell silent is not a failed one, however often it happens. */
const ENDLESS = 1_000_000_000;
/** Jobs are sent right behind their messages; where a connection does not keep the order, one may come first. */
const YOUNG_MS = 10_000;
const YOUNG_PAUSE_MS = 1_000;
const MOST_STALLED_INTERVAL_MS = 30_000;

export class BullmqJobs {
  readonly #options: BullmqJobsOptions;
  readonly #queues: Readonly<Record<Lane, Queue<Data>>>;
  #workers: Readonly<Record<Lane, Worker<Data>>> | undefined;
  /** As many as there were last time, and one more. */
  readonly #expected: Record<Lane, number> = { new: 1, retry: 1 };
  /** Jobs whose lock is ours, by the message's number. */
  readonly #held = new Map<number, Held>();

  constructor(options: BullmqJobsOptions) {
    this.#options = options;
    const make = (lane: Lane): Queue<Data> => {
      const queue = new Queue<Data>(this.#nameOf(lane), { connection: options.connection, prefix: options.prefix });
      // Whoever asks for something is told of it; what is left over is the connection's own.
      queue.on('error', ignore);
      return queue;
    };
    this.#queues = { new: make('new'), retry: make('retry') };
  }

  /** The first jobs of messages. */
  async add(alarms: readonly { readonly seq: number; readonly alarm: Alarm }[]): Promise<void> {
    await Promise.all(
      LANES.map(async (lane) => {
        const jobs = alarms.flatMap(({ seq, alarm }) => (alarm.lane === lane ? this.#jobOf(seq, alarm) : []));
        if (jobs.length > 0) await this.#queues[lane].addBulk(jobs);
      }),
    );
  }

  #jobOf(seq: number, { at }: Alarm): { name: string; data: Data; opts: JobsOptions } {
    const delay = Math.max(0, Math.ceil(at) - this.#options.now());
    const opts = { jobId: jobId(seq), delay, removeOnComplete: true, removeOnFail: true };
    return { name: 'message', data: { seq }, opts };
  }

  /** Puts the message's job to its time, from wherever it is; without one, removes it. */
  async set(seq: number, before: Alarm | undefined, alarm: Alarm | undefined): Promise<void> {
    const held = this.#held.get(seq);
    this.#held.delete(seq);
    if (held && (await this.#release(seq, held, alarm))) return;
    if (alarm) await this.#ring(seq, alarm);
    if (before && before.lane !== alarm?.lane) await this.#remove(seq, before.lane);
  }

  /** A job we have, whose message is not there: no more, or not yet. */
  async drop(seq: number): Promise<void> {
    const held = this.#held.get(seq);
    if (!held) return;
    const now = this.#options.now();
    const isYoung = held.job.timestamp > now - YOUNG_MS;
    await this.set(seq, undefined, isYoung ? { lane: held.lane, at: now + YOUNG_PAUSE_MS } : undefined);
  }

  /** Ends our lock. False if it is ours no more. */
  async #release(seq: number, { job, token, lane }: Held, alarm: Alarm | undefined): Promise<boolean> {
    try {
      if (alarm?.lane === lane) await job.moveToDelayed(Math.ceil(alarm.at), token);
      else {
        // The next job first, so that there is always one.
        if (alarm) await this.#ring(seq, alarm);
        await job.moveToCompleted(null, token, false);
      }
      return true;
    } catch (error) {
      if (isOfTheLock(error)) return false;
      throw error;
    }
  }

  async #ring(seq: number, alarm: Alarm): Promise<void> {
    const queue = this.#queues[alarm.lane];
    const job = await queue.getJob(jobId(seq));
    const state = job && (await job.getState());
    if (job && state === 'delayed') {
      // It may have come up meanwhile: then it rings too early, and is put off by who hears it.
      await job.changeDelay(Math.max(0, Math.ceil(alarm.at) - this.#options.now())).catch(unlessConnection);
      return;
    }
    if (state === 'waiting' || state === 'active' || state === 'prioritized') return;
    if (job) await job.remove().catch(unlessConnection);
    await this.add([{ seq, alarm }]);
  }

  async #remove(seq: number, lane: Lane): Promise<void> {
    // Somebody else's is left: it finds nothing to do.
    await this.#queues[lane].remove(jobId(seq));
  }

  /** Numbers of messages whose jobs are ours for the length of a lease. */
  async fetch(lane: Lane, limit: number): Promise<number[]> {
    const worker = (await this.#open())[lane];
    const seqs: number[] = [];
    // BullMQ hands out one at a time. So many are asked for at once as may well be there: each costs Redis a script.
    for (let count = this.#expected[lane]; seqs.length < limit; count *= 2) {
      const asked = Math.min(count, limit - seqs.length);
      const got = await Promise.all(Array.from({ length: asked }, () => this.#next(worker, lane)));
      const found = got.flatMap((seq) => seq ?? []);
      seqs.push(...found);
      if (found.length < asked) break;
    }
    this.#expected[lane] = seqs.length + 1;
    return seqs;
  }

  async #next(worker: Worker<Data>, lane: Lane): Promise<number | undefined> {
    for (;;) {
      const token = randomUUID();
      const job = (await worker.getNextJob(token, { block: false })) as Job<Data> | undefined;
      if (!job) return undefined;
      const seq = (job.data as Data | null)?.seq;
      if (seq !== undefined && job.id === jobId(seq)) {
        this.#held.set(seq, { job, token, lane });
        return seq;
      }
      // Left where whoever added it looks for what went wrong.
      const reason = new UnrecoverableError('not of smtp-routes, whose queue this is');
      await job.moveToFailed(reason, token).catch(unlessConnection);
    }
  }

  /** Whether BullMQ will bring the message up. */
  async isThere(seq: number, lane: Lane): Promise<boolean> {
    const state = await this.#queues[lane].getJobState(jobId(seq));
    return ['delayed', 'waiting', 'active', 'prioritized'].includes(state);
  }

  async close(): Promise<void> {
    for (const lane of LANES) {
      await this.#workers?.[lane].close(true);
      await this.#queues[lane].close();
    }
  }

  async #open(): Promise<Readonly<Record<Lane, Worker<Data>>>> {
    if (this.#workers) return this.#workers;
    const { connection, prefix, leaseMs } = this.#options;
    const make = (lane: Lane): Worker<Data> => {
      const worker = new Worker<Data>(this.#nameOf(lane), null, {
        connection,
        prefix,
        autorun: false,
        lockDuration: leaseMs,
        stalledInterval: Math.min(MOST_STALLED_INTERVAL_MS, Math.max(100, leaseMs / 4)),
        maxStalledCount: ENDLESS,
      });
      worker.on('error', ignore);
      return worker;
    };
    this.#workers = { new: make('new'), retry: make('retry') };
    for (const lane of LANES) await this.#workers[lane].startStalledCheckTimer();
    return this.#workers;
  }

  #nameOf(lane: Lane): string {
    // As the keys of ours begin. No name that the app may give us has braces.
    return `{${this.#options.name}}.${lane}`;
  }
}

function jobId(seq: number): string {
  return `m${String(seq)}`;
}

/** BullMQ's own answers carry a code, a negative number (-1 missing job, -2 missing lock, -3 not in the state, -6 not the lock). */
function isOfTheLock(error: unknown): boolean {
  const { code, message } = (error ?? {}) as { readonly code?: unknown; readonly message?: unknown };
  return typeof code === 'number' || /missing (lock|key)|lock mismatch|not in the/i.test(String(message));
}

function unlessConnection(error: unknown): void {
  if (!isOfTheLock(error) && !/could not be removed/.test(String((error as Error | undefined)?.message))) throw error;
}

function ignore(): void {
  // The command under way says the same.
}
