/**
 * Tells the parts of one delivery that nothing more may be started. An `AbortSignal` does the same,
 * but costs more than the rest of the bookkeeping of a delivery that nobody interrupts.
 */

/** `AbortError`: the caller gave up. `TimeoutError`: the time is over, past the final dot too. */
export class Interruption {
  #reason: DOMException | undefined;
  #listeners: readonly ((reason: DOMException) => void)[] = [];

  /** Why, once it has happened. */
  get reason(): DOMException | undefined {
    return this.#reason;
  }

  /** The first reason holds for what is started later; each one is told to those who listen now. */
  interrupt(reason: DOMException): void {
    this.#reason ??= reason;
    for (const listener of this.#listeners) listener(reason);
  }

  /** @returns stops listening */
  listen(listener: (reason: DOMException) => void): () => void {
    this.#listeners = [...this.#listeners, listener];
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== listener);
    };
  }
}
