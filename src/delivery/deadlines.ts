/**
 * Many deadlines, one sleep. A timer and an abort signal for each of thousands of attempts would
 * cost more than the bookkeeping of the delivery itself, and nearly all of them never fire.
 */
import { Bag, type Bagged } from './bag.js';
import type { Clock } from './system-clock.js';

/** `at` in milliseconds since the epoch. */
export interface Deadline extends Bagged {
  readonly at: number;
  readonly onPassed: () => void;
}

export class Deadlines {
  readonly #clock: Clock;
  readonly #pending = new Bag<Deadline>();
  #wakeAt = Infinity;
  #sleep: AbortController | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `onPassed` once its time has passed, unless it is removed before. */
  add(deadline: Deadline): void {
    this.#pending.add(deadline);
    if (deadline.at < this.#wakeAt) this.#sleepUntil(deadline.at);
  }

  remove(deadline: Deadline): void {
    this.#pending.delete(deadline);
    if (this.#pending.size === 0) this.#wake();
  }

  #sleepUntil(at: number): void {
    this.#wake();
    const sleep = new AbortController();
    this.#sleep = sleep;
    this.#wakeAt = at;
    this.#clock.sleep(Math.max(0, at - this.#clock.now()), sleep.signal).then(
      () => {
        if (this.#sleep === sleep) this.#firePassed();
      },
      () => undefined,
    );
  }

  #wake(): void {
    this.#sleep?.abort(NO_LONGER);
    this.#sleep = undefined;
    this.#wakeAt = Infinity;
  }

  #firePassed(): void {
    this.#sleep = undefined;
    this.#wakeAt = Infinity;
    const now = this.#clock.now();
    for (const deadline of [...this.#pending]) {
      if (deadline.at <= now && this.#pending.delete(deadline)) deadline.onPassed();
    }
    // Only now, since what has just passed may have ended others.
    let next = Infinity;
    for (const { at } of this.#pending) next = Math.min(next, at);
    if (next < this.#wakeAt) this.#sleepUntil(next);
  }
}

/** Nobody sees it: given, so that no `DOMException` with its stack is made each time the last deadline goes. */
const NO_LONGER = 'no deadline is pending';
