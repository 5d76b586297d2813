/**
 * One commit for everything that wants one at a time: what many callers ask for while one is under
 * way shares the next. So a process waits for the network and the disk once for all of them, and
 * never for a lock of its own.
 */

interface Waiting<Step, Done> {
  readonly step: Step;
  readonly resolve: (done: Done) => void;
  readonly reject: (reason: unknown) => void;
}

const MAX_STEPS = 128;

export class Batches<Step, Done> {
  readonly #commit: (steps: readonly Step[]) => Promise<readonly Done[]>;
  readonly #placeOf: (step: Step) => number | undefined;
  #waiting: Waiting<Step, Done>[] = [];
  #flushing: Promise<void> | undefined;

  /**
   * @param commit carries out all of them at once; if it rejects it is called again for each by itself
   * @param placeOf of two steps at the same place only one is in a batch
   */
  constructor(
    commit: (steps: readonly Step[]) => Promise<readonly Done[]>,
    placeOf: (step: Step) => number | undefined = () => undefined,
  ) {
    this.#commit = commit;
    this.#placeOf = placeOf;
  }

  /**
   * Resolves once it is committed.
   *
   * @throws what the engine says; then nothing of it holds, unless the connection was lost in the commit itself
   */
  run(step: Step): Promise<Done> {
    return new Promise<Done>((resolve, reject) => {
      this.#waiting.push({ step, resolve, reject });
      this.#flushing ??= this.#flush();
    });
  }

  async settled(): Promise<void> {
    while (this.#flushing) await this.#flushing;
  }

  async #flush(): Promise<void> {
    // Whatever else this turn of the loop has to say joins in.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) await this.#carryOut(this.#next());
    this.#flushing = undefined;
  }

  #next(): Waiting<Step, Done>[] {
    const batch: Waiting<Step, Done>[] = [];
    const left: Waiting<Step, Done>[] = [];
    const places = new Set<number>();
    for (const one of this.#waiting) {
      const place = this.#placeOf(one.step);
      if (batch.length === MAX_STEPS || (place !== undefined && places.has(place))) left.push(one);
      else {
        batch.push(one);
        if (place !== undefined) places.add(place);
      }
    }
    this.#waiting = left;
    return batch;
  }

  async #carryOut(batch: readonly Waiting<Step, Done>[]): Promise<void> {
    try {
      const done = await this.#commit(batch.map(({ step }) => step));
      batch.forEach(({ resolve }, i) => resolve(done[i] as Done));
    } catch (error) {
      // One that cannot be stored must not take the others with it.
      if (batch.length > 1) for (const one of batch) await this.#carryOut([one]);
      else for (const { reject } of batch) reject(error);
    }
  }
}
