/**
 * What is stored in Redis at a time: numbers for new messages, then one script for all the records,
 * and right behind it, on the same connection, the jobs of what is new.
 */
import { Batches } from '../engine/batches.js';
import type { Arrival } from '../engine/engine.js';
import type { BullmqJobs } from './bullmq-jobs.js';
import { guarded, type Command, type Guard, type RedisClient } from './redis.js';
import type { RedisKeys } from './redis-keys.js';
import type { RedisRecords } from './redis-records.js';

interface Step {
  readonly guard: Guard;
  readonly commands: readonly Command[];
  readonly arrivals: readonly Arrival[];
}

interface Done {
  readonly held: boolean;
  /** Of the arrivals. */
  readonly seqs: readonly number[];
}

export class RedisCommits {
  readonly #redis: RedisClient;
  readonly #keys: RedisKeys;
  readonly #records: RedisRecords;
  readonly #jobs: BullmqJobs;
  readonly #batches: Batches<Step, Done>;

  constructor(redis: RedisClient, keys: RedisKeys, records: RedisRecords, jobs: BullmqJobs) {
    this.#redis = redis;
    this.#keys = keys;
    this.#records = records;
    this.#jobs = jobs;
    this.#batches = new Batches((steps) => this.#carryOut(steps));
  }

  /** Answers its number, and whether it is added; else its name is known, if not to be of this very number. */
  async add(arrival: Arrival): Promise<{ readonly seq: number | undefined; readonly added: boolean }> {
    const { ids, ended } = this.#keys;
    const guard = { ids, ended, id: arrival.record.message.id };
    const { held, seqs } = await this.#batches.run({ guard, commands: [], arrivals: [arrival] });
    return { seq: seqs[0], added: held };
  }

  /** Answers whether the guard held. */
  async change(guard: Guard, commands: readonly Command[], arrivals: readonly Arrival[] = []): Promise<boolean> {
    return (await this.#batches.run({ guard, commands, arrivals })).held;
  }

  settled(): Promise<void> {
    return this.#batches.settled();
  }

  async #carryOut(steps: readonly Step[]): Promise<Done[]> {
    const count = steps.reduce((sum, { arrivals }) => sum + arrivals.length, 0);
    let seq = count > 0 ? Number(await this.#redis.call('INCRBY', this.#keys.last, count)) - count : 0;
    const numbered = steps.map((step) => ({
      ...step,
      added: step.arrivals.map((arrival) => ({ seq: ++seq, arrival })),
    }));
    const answers = guarded(
      this.#redis,
      numbered.map(({ guard, commands, added }) => ({
        guard,
        commands: [...commands, ...added.flatMap((one) => this.#records.add(one.seq, one.arrival))],
      })),
    );
    const jobs = this.#jobs.add(
      numbered.flatMap(({ added }) =>
        added.flatMap((one) => (one.arrival.alarm ? { seq: one.seq, alarm: one.arrival.alarm } : [])),
      ),
    );
    const [held] = await Promise.all([answers, jobs]);
    for (const [i, { added }] of numbered.entries()) {
      // A job without a message finds nothing to do; here it is known at once.
      if (!held[i]) for (const one of added) await this.#jobs.set(one.seq, one.arrival.alarm, undefined);
    }
    return numbered.map(({ added }, i) => ({ held: held[i] === true, seqs: added.map((one) => one.seq) }));
  }
}
