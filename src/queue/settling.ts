/**
 * Stores the result of an attempt, however long the store takes to take it, and then tells of it.
 */
import type { Clock } from '../delivery/system-clock.js';
import type { Attempted } from './attempt-claim.js';
import type { QueueObserver } from './queue-observer.js';
import { isLate, type Claim, type QueueStore } from './queue-store.js';

export interface SettlingOptions {
  readonly store: QueueStore;
  readonly observer: QueueObserver;
  readonly clock: Clock;
}

const AGAIN_AFTER_MS = 1_000;

export class Settling {
  readonly #options: SettlingOptions;
  #closed = false;

  constructor(options: SettlingOptions) {
    this.#options = options;
  }

  /** Who closes does not wait for a disk to be mended: what was delivered may then be sent again. */
  close(): void {
    this.#closed = true;
  }

  async settle(
    { message: { id } }: Claim,
    { settlement, events }: Pick<Attempted, 'settlement' | 'events'>,
  ): Promise<void> {
    const { store, observer, clock } = this.#options;
    for (;;) {
      try {
        const { lost, done, woken } = await store.settle(settlement);
        const at = clock.now();
        if (lost.length > 0) {
          const delivered = settlement.results.flatMap(({ key, gone }) => (lost.includes(key) ? gone : []));
          observer.emit({ type: 'lease-lost', at, id, delivered });
        }
        if (!isLate(settlement, lost)) for (const event of events) observer.emit(event);
        for (const one of woken) observer.emit({ type: 'woken', at, ...one });
        if (done) observer.emit({ type: 'done', at, id });
        return;
      } catch (error) {
        // What a server has accepted must not be forgotten: the lease is kept and the result is tried again.
        observer.trouble('settling', error, clock.now());
        if (this.#closed) return;
        await clock.sleep(AGAIN_AFTER_MS);
      }
    }
  }
}
