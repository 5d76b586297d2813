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

export interface BatchRules<Step, Done> {
  /** Carries out all of them at once; if it rejects it is called again for each by itself. */
  readonly commit: (steps: readonly Step[]) => Promise<readonly Done[]>;
  /** Whether the failure is no step's own, as that of a server that is gone: then it is all steps' at once. */
  readonly isOfAll: (error: unknown) => boolean;
  /** Of two steps at the same place only one is in a batch. */
  readonly placeOf?: (step: Step) => number | undefined;
}

const MAX_STEPS = 128;

export class Batches<Step, Done> {
  readonly #rules: BatchRules<Step, Done>;
  #waiting: Waiting<Step, Done>[] = [];
  #flushing: Promise<void> | undefined;

  constructor(rules: BatchRules<Step, Done>) {
    this.#rules = rules;
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
      const place = this.#rules.placeOf?.(one.step);
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
      const done = await this.#rules.commit(batch.map(({ step }) => step));
      batch.forEach(({ resolve }, i) => resolve(done[i] as Done));
    } catch (error) {
      // One that cannot be stored must not take the others with it; but a server is not waited for once for each.
      if (batch.length > 1 && !this.#rules.isOfAll(error)) for (const one of batch) await this.#carryOut([one]);
      else for (const { reject } of batch) reject(error);
    }
  }
}
