/**
 * One transaction for everything that wants one at a time: what many callers ask for while one
 * commit is under way shares the next. So a process waits for the disk once for all of them, and
 * never for a lock of its own.
 */
import type { PgClient, PgPool, PgRunner } from './pg-pool.js';

interface Work {
  readonly run: (client: PgRunner) => Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
}

const MAX_WORK = 64;

export class PgBatches {
  readonly #pool: PgPool;
  #waiting: Work[] = [];
  #flushing: Promise<void> | undefined;

  constructor(pool: PgPool) {
    this.#pool = pool;
  }

  /**
   * Resolves with the result of `run` once it is committed. `run` may be called again, if something
   * else in its transaction failed, or if the commit did and may hold all the same.
   *
   * @throws what the database says; then nothing of it holds, unless the connection was lost in the commit itself
   */
  run<T>(run: (client: PgRunner) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ run, resolve: resolve as (value: unknown) => void, reject });
      this.#flushing ??= this.#flush();
    });
  }

  async settled(): Promise<void> {
    while (this.#flushing) await this.#flushing;
  }

  async #flush(): Promise<void> {
    // Whatever else this turn of the loop has to say joins in.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) await this.#commit(this.#waiting.splice(0, MAX_WORK));
    this.#flushing = undefined;
  }

  async #commit(batch: readonly Work[], isLast = false): Promise<void> {
    const reached = { commit: false };
    try {
      const results = await this.#transact(batch, reached);
      batch.forEach(({ resolve }, i) => resolve(results[i]));
    } catch (error) {
      // One that cannot be stored must not take the others with it.
      if (batch.length > 1) for (const one of batch) await this.#commit([one]);
      // Lost in the commit, it may hold all the same: run again, it finds out.
      else if (reached.commit && !isLast) await this.#commit(batch, true);
      else for (const { reject } of batch) reject(error);
    }
  }

  async #transact(batch: readonly Work[], reached: { commit: boolean }): Promise<unknown[]> {
    const client = await this.#pool.connect();
    // Without a listener the loss of a connection would end the process.
    client.on('error', ignore);
    let isWell = false;
    try {
      await client.query('BEGIN');
      const results: unknown[] = [];
      for (const { run } of batch) results.push(await run(client));
      reached.commit = true;
      await client.query('COMMIT');
      isWell = true;
      return results;
    } catch (error) {
      isWell = await rolledBack(client);
      throw error;
    } finally {
      client.off('error', ignore);
      client.release(!isWell);
    }
  }
}

async function rolledBack(client: PgClient): Promise<boolean> {
  try {
    await client.query('ROLLBACK');
    return true;
  } catch {
    return false;
  }
}

function ignore(): void {
  // The statement under way says the same.
}
