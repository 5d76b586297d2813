/**
 * What a command may touch of its process: streams, time and DNS, handed in so that a test can run a
 * command within its own process and read what a terminal would show.
 */
import type { DnsLookup } from '../delivery/dns-lookup.js';
import type { Clock } from '../delivery/system-clock.js';
import type { Paint } from './paint.js';

export interface TextOutput {
  write(text: string): void;
  readonly terminal: boolean;
  /** Characters in a line; 80 where it is no terminal. */
  readonly columns: number;
  readonly paint: Paint;
}

export interface CommandContext {
  readonly out: TextOutput;
  /** Problems and progress: what must not stand in a pipe. */
  readonly err: TextOutput;
  /** Standard input, for the file `-`. */
  readonly input: AsyncIterable<Uint8Array>;
  readonly clock: Clock;
  /** Loads the look-up of `smtp-routes/dns`; absent in a build without it. */
  readonly dns?: () => Promise<DnsLookup>;
}

/** How a command ends. */
export const OK = 0;
/** It ran, and found problems. */
export const PROBLEMS = 1;
/** It could not run: wrong options, no such file. */
export const WRONG_USE = 2;
