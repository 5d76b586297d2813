/**
 * Tells the app and the logs what happens, in such a way that telling cannot hurt: a listener that
 * throws, rejects or hangs changes no outcome and no attempt.
 */
import type { DeliveryEvent } from '../core/delivery-event.js';
import { isDebugging, logEvent, logTrouble } from './debug-log.js';

/** Called synchronously with each event. Its result is ignored; what it throws or rejects with is seen under `debug` only. */
export type OnEvent = (event: DeliveryEvent) => unknown;

export class Observer {
  readonly #onEvent: OnEvent | undefined;

  constructor(onEvent: OnEvent | undefined) {
    this.#onEvent = onEvent;
  }

  /** Whether anybody listens: without, events need not be made. */
  get active(): boolean {
    return this.#onEvent !== undefined || isDebugging();
  }

  emit(event: DeliveryEvent): void {
    try {
      logEvent(event);
    } catch (error) {
      logTrouble(error);
    }
    if (!this.#onEvent) return;
    try {
      Promise.resolve(this.#onEvent(event)).catch(logTrouble);
    } catch (error) {
      logTrouble(error);
    }
  }
}
