/**
 * The deliveries under way, and how to see them out.
 */
import { Bag } from './bag.js';
import type { Delivery } from './delivery.js';
import type { Clock } from './system-clock.js';

export class UnderWay {
  readonly #clock: Clock;
  readonly #deliveries = new Bag<Delivery>();
  readonly #onEmpty: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(delivery: Delivery): void {
    this.#deliveries.add(delivery);
  }

  delete(delivery: Delivery): void {
    this.#deliveries.delete(delivery);
    if (this.#deliveries.size > 0) return;
    for (const tell of this.#onEmpty.splice(0)) tell();
  }

  /** Resolves when all have ended. After `limitMs` they are over, past the final dot too. */
  async drain(limitMs: number): Promise<void> {
    if (this.#deliveries.size === 0) return;
    const sleep = new AbortController();
    const empty = new Promise<void>((resolve) => this.#onEmpty.push(resolve));
    const limit = this.#clock.sleep(limitMs, sleep.signal).then(
      () => {
        for (const delivery of [...this.#deliveries]) delivery.expire('the deliverer was closed');
        return new Promise<void>((resolve) => setImmediate(resolve));
      },
      () => undefined,
    );
    await Promise.race([empty, limit]);
    sleep.abort();
  }
}
