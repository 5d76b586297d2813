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
  /** Of a record that is changed; a new message has its own. */
  readonly guard?: Guard;
  readonly commands: readonly Command[];
  readonly added: readonly Added[];
}

interface Added {
  readonly arrival: Arrival;
  /** Once it has one it keeps it, however often it is tried to be stored. */
  seq?: number;
}

interface Done {
  readonly held: boolean;
  /** Of what was added. */
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

  /** Answers its number. Undefined: its name is known. */
  async add(arrival: Arrival): Promise<number | undefined> {
    const { held, seqs } = await this.#batches.run({ commands: [], added: [{ arrival }] });
    return held ? seqs[0] : undefined;
  }

  /** Answers whether the guard held. */
  async change(guard: Guard, commands: readonly Command[], arrivals: readonly Arrival[] = []): Promise<boolean> {
    const added = arrivals.map((arrival) => ({ arrival }));
    return (await this.#batches.run({ guard, commands, added })).held;
  }

  settled(): Promise<void> {
    return this.#batches.settled();
  }

  async #carryOut(steps: readonly Step[]): Promise<Done[]> {
    const numbered = await this.#number(steps);
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

  async #number(
    steps: readonly Step[],
  ): Promise<{ readonly guard: Guard; readonly commands: readonly Command[]; readonly added: Required<Added>[] }[]> {
    const { ids, ended, last } = this.#keys;
    const without = steps.flatMap(({ added }) => added.filter(({ seq }) => seq === undefined));
    const { length } = without;
    const from = length > 0 ? Number(await this.#redis.call('INCRBY', last, length)) - length : 0;
    for (const [i, one] of without.entries()) one.seq = from + i + 1;
    return steps.map(({ guard, commands, added }) => {
      const numbered = added.map(({ arrival, seq = 0 }) => ({ arrival, seq }));
      const [first] = numbered;
      const isNew = first && { ids, ended, id: first.arrival.record.message.id, seq: first.seq };
      const holds = guard ?? isNew;
      if (!holds) throw new TypeError('a step without a guard');
      return { guard: holds, commands, added: numbered };
    });
  }
}
