/**
 * Abort controllers for sends, used again: making one costs more than the rest of the bookkeeping
 * of a send that nobody aborts.
 */
import { getEventListeners } from 'node:events';

const MAX_SPARE = 100;

export class AbortControllers {
  readonly #spare: AbortController[] = [];

  take(): AbortController {
    return this.#spare.pop() ?? new AbortController();
  }

  /** One that has fired, or that a transport still listens to, is not used again. */
  giveBack(controller: AbortController): void {
    const { signal } = controller;
    if (signal.aborted || this.#spare.length === MAX_SPARE) return;
    if (getEventListeners(signal, 'abort').length === 0) this.#spare.push(controller);
  }
}
