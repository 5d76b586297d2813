/**
 * Sleep that anybody can end, and that keeps the process alive only if told to.
 */
import { doze, type Clock } from '../delivery/system-clock.js';

export class Nap {
  /** For a process that has nothing else to do. */
  keepAlive = false;
  readonly #clock: Clock;
  #controller: AbortController | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves after `ms`, or when it is ended. */
  async take(ms: number): Promise<void> {
    const controller = new AbortController();
    this.#controller = controller;
    const { signal } = controller;
    try {
      await (this.keepAlive ? this.#clock.sleep(ms, signal) : doze(this.#clock, ms, signal));
    } catch {
      // Ended.
    } finally {
      if (this.#controller === controller) this.#controller = undefined;
    }
  }

  end(): void {
    this.#controller?.abort();
  }
}
