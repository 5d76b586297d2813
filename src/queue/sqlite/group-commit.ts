/**
 * One commit for everything that wants one in a turn of the event loop: submits, claims and results
 * of many callers cost one fsync together. A single caller gets a commit of its own.
 */
import { isLocked, storageError, type SqliteDatabase } from './sqlite-database.js';
import { rollBack } from './sqlite-schema.js';
import { waitForLock } from './wait-for-lock.js';

interface Work {
  readonly run: () => unknown;
  readonly weight: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
}

export interface GroupCommitOptions {
  readonly database: SqliteDatabase;
  /** Within the transaction, after all work of it. */
  readonly beforeCommit: () => void;
  /** Nothing of what was done since the last commit holds. */
  readonly onRollback: () => void;
  /** How long to wait for a lock. */
  readonly lockTimeoutMs: number;
}

/** What blocks the event loop for one batch: pieces of work, and bytes written. */
const MAX_WORK = 128;
const MAX_WEIGHT = 1024 * 1024;
/** A commit costs about as much as so many turns of a busy loop. */
const MAX_TURNS = 8;

export class GroupCommit {
  readonly #options: GroupCommitOptions;
  #waiting: Work[] = [];
  #flushing: Promise<void> | undefined;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
  }

  /**
   * Resolves with the result of `run` once it is committed. `run` may be called again, if something
   * else in its batch failed.
   *
   * @param weight bytes to be written
   * @throws {QueueStorageError} if it could not be committed; then nothing of it holds
   */
  run<T>(run: () => T, weight = 0): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ run, weight, resolve: resolve as (value: unknown) => void, reject });
      this.#flushing ??= this.#flush();
    });
  }

  /** Resolves when nothing waits for a commit any more. */
  async settled(): Promise<void> {
    while (this.#flushing) await this.#flushing;
  }

  async #flush(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#gather();
      await this.#commit(this.#nextBatch());
    }
    this.#flushing = undefined;
  }

  /** Whatever else this turn of the loop has to say joins in; and the next turns', as long as more comes. */
  async #gather(): Promise<void> {
    for (let turn = 0, before = 1; turn < MAX_TURNS; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
      const { length } = this.#waiting;
      if (length <= before || length >= MAX_WORK) return;
      before = length;
    }
  }

  #nextBatch(): Work[] {
    let count = 0;
    for (let weight = 0; count < this.#waiting.length && count < MAX_WORK && weight < MAX_WEIGHT; count++) {
      weight += this.#waiting[count]?.weight ?? 0;
    }
    return this.#waiting.splice(0, count);
  }

  async #commit(batch: readonly Work[]): Promise<void> {
    try {
      const results = await waitForLock(() => this.#transact(batch), this.#options.lockTimeoutMs);
      batch.forEach(({ resolve }, i) => resolve(results[i]));
    } catch (error) {
      // One that cannot be stored must not take the others with it.
      if (batch.length > 1 && !isLocked(error)) for (const one of batch) await this.#commit([one]);
      else for (const { reject } of batch) reject(storageError(error));
    }
  }

  #transact(batch: readonly Work[]): unknown[] {
    const { database, beforeCommit, onRollback } = this.#options;
    try {
      database.exec('BEGIN IMMEDIATE');
      const results = batch.map(({ run }) => run());
      beforeCommit();
      database.exec('COMMIT');
      return results;
    } catch (error) {
      rollBack(database);
      onRollback();
      throw error;
    }
  }
}
