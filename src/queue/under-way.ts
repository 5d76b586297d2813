/**
 * Work that has begun, so that closing can wait for it.
 */

export class UnderWay {
  readonly #work = new Set<Promise<unknown>>();

  track<T>(work: Promise<T>): Promise<T> {
    this.#work.add(work);
    const end = (): unknown => this.#work.delete(work);
    work.then(end, end);
    return work;
  }

  /** Resolves when all has ended, one way or the other. */
  async ended(): Promise<void> {
    while (this.#work.size > 0) await Promise.allSettled(this.#work);
  }
}
