/**
 * What is stored in Redis at a time: numbers for new messages, then one script for all the records,
 * and right behind it, on the same connection, the jobs of what is new.
 */
import { Batches } from '../engine/batches.js';
import type { Arrival } from '../engine/engine.js';
import { isProblem } from '../storage-error.js';
import type { BullmqJobs } from './bullmq-jobs.js';
import { guarded, type Command, type Guard, type RedisClient } from './redis.js';
import { redisError } from './redis-error.js';
import type { RedisKeys } from './redis-keys.js';
import type { RedisRecords } from './redis-records.js';

interface Step {
  readonly guard: (seqs: readonly number[]) => Guard;
  readonly commands: readonly Command[];
  readonly arrivals: readonly Arrival[];
  /** Numbers of the arrivals. Once they have them they keep them, however often they are tried to be stored. */
  seqs?: readonly number[];
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
    this.#batches = new Batches({
      commit: (steps) => this.#carryOut(steps),
      isOfAll: (error) => isProblem(redisError(error), 'UNAVAILABLE'),
    });
  }

  /** Answers its number. Undefined: its name is known. */
  async add(arrival: Arrival): Promise<number | undefined> {
    const { ids, ended } = this.#keys;
    const { id } = arrival.record.message;
    const { held, seqs } = await this.#batches.run({
      guard: ([seq = 0]) => ({ ids, ended, id, seq }),
      commands: [],
      arrivals: [arrival],
    });
    return held ? seqs[0] : undefined;
  }

  /** Answers whether the guard held. */
  async change(guard: Guard, commands: readonly Command[], arrivals: readonly Arrival[] = []): Promise<boolean> {
    return (await this.#batches.run({ guard: () => guard, commands, arrivals })).held;
  }

  settled(): Promise<void> {
    return this.#batches.settled();
  }

  async #carryOut(steps: readonly Step[]): Promise<Done[]> {
    await this.#number(steps);
    const numbered = steps.map(({ guard, commands, arrivals, seqs = [] }) => ({
      guard: guard(seqs),
      commands,
      seqs,
      added: arrivals.map((arrival, i) => ({ ...arrival, seq: seqs[i] ?? 0 })),
    }));
    const answers = guarded(
      this.#redis,
      numbered.map(({ guard, commands, added }) => ({
        guard,
        commands: [...commands, ...added.flatMap((one) => this.#records.add(one.seq, one))],
      })),
    );
    const jobs = this.#jobs.add(
      numbered.flatMap(({ added }) => added.flatMap(({ seq, alarm }) => (alarm ? { seq, alarm } : []))),
    );
    const [held] = await Promise.all([answers, jobs]);
    for (const [i, { added }] of numbered.entries()) {
      // A job without a message finds nothing to do; here it is known at once.
      if (!held[i]) for (const { seq, alarm } of added) await this.#jobs.set(seq, alarm, undefined);
    }
    return numbered.map(({ seqs }, i) => ({ held: held[i] === true, seqs }));
  }

  async #number(steps: readonly Step[]): Promise<void> {
    const without = steps.filter(({ seqs, arrivals }) => !seqs && arrivals.length > 0);
    const count = without.reduce((sum, { arrivals }) => sum + arrivals.length, 0);
    if (count === 0) return;
    let seq = Number(await this.#redis.call('INCRBY', this.#keys.last, count)) - count;
    for (const step of without) step.seqs = step.arrivals.map(() => ++seq);
  }
}
