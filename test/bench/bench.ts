/**
 * What a bench is: it races workers, prints what it found, and answers which targets were missed.
 */
import type { BenchOptions } from './options.js';
import type { Workers } from './workers.js';

export interface Bench {
  readonly name: string;
  /** Prints its results. Answers for each target whether it was met. */
  run(workers: Workers, options: BenchOptions): Promise<readonly boolean[]>;
}
