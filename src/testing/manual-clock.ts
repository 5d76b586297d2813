/**
 * A clock that moves only when told to. It stands wherever the library takes a `clock`, so that a
 * test of three days of retries takes no time and never depends on how busy the machine is.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';

interface Sleeper {
  readonly dueAt: number;
  wake(): void;
}

/** Wednesday, 2 July 2014, 09:15:07 UTC: the moment of the log in Cisco's technote 117875. */
const DEFAULT_START_AT = Date.UTC(2014, 6, 2, 9, 15, 7);

export class ManualClock {
  #now: number;
  readonly #sleepers = new Set<Sleeper>();

  /** @param startAt in milliseconds since the epoch. */
  constructor(startAt: number = DEFAULT_START_AT) {
    this.#now = startAt;
  }

  /** Milliseconds since the epoch. */
  now(): number {
    return this.#now;
  }

  /** How many sleeps are under way. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  /**
   * Resolves when the clock was moved on by `ms`; at once for 0 and less. Rejects with the signal's
   * reason when that is aborted, and leaves no listener behind either way.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      if (!(ms > 0)) return resolve();
      const abort = (): void => {
        this.#sleepers.delete(sleeper);
        reject(signal?.reason as Error);
      };
      const sleeper: Sleeper = {
        dueAt: this.#now + ms,
        wake: () => {
          this.#sleepers.delete(sleeper);
          signal?.removeEventListener('abort', abort);
          resolve();
        },
      };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  /**
   * Moves on by `ms`. Sleepers wake in the order in which they are due, each at its own time, and
   * what they go on to do runs before the next one wakes: a sleeper that sleeps again within these
   * `ms` wakes again.
   */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    // A whole turn of the event loop lets every promise continuation run, however long the chain.
    await nextTurn();
    for (let next = this.#first(); next && next.dueAt <= until; next = this.#first()) {
      this.#now = next.dueAt;
      next.wake();
      await nextTurn();
    }
    this.#now = until;
  }

  /** Moves on to when the first sleeper is due, and wakes those due then. Answers the milliseconds this took: 0 if nothing sleeps. */
  async advanceToNext(): Promise<number> {
    await nextTurn();
    const next = this.#first();
    if (!next) return 0;
    const ms = next.dueAt - this.#now;
    await this.advance(ms);
    return ms;
  }

  /** Moves on from sleeper to sleeper until `promise` settles, and settles the same way. For work that waits for nothing but this clock. */
  async runUntil<T>(promise: Promise<T>): Promise<T> {
    const work = { settled: false };
    const note = (): void => {
      work.settled = true;
    };
    promise.then(note, note);
    await nextTurn();
    while (!work.settled) {
      await this.advanceToNext();
      await nextTurn();
    }
    return promise;
  }

  /** Sleepers are kept in the order they came, so of two due at one time the older wakes first. */
  #first(): Sleeper | undefined {
    let first: Sleeper | undefined;
    for (const sleeper of this.#sleepers) if (!first || sleeper.dueAt < first.dueAt) first = sleeper;
    return first;
  }
}
