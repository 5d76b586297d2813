/**
 * Bounds how much is under way at once: the rest waits its turn, first come, first served.
 */

export class Slots {
  #free: number;
  readonly #waiting = new Set<() => void>();

  /** @param count at least 1 */
  constructor(count: number) {
    this.#free = count;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.add(resolve));
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  /** Hands the slot on, so that nobody who comes later gets in between. */
  #leave(): void {
    for (const next of this.#waiting) {
      this.#waiting.delete(next);
      next();
      return;
    }
    this.#free++;
  }
}
