/**
 * What a queue sees to now and then: claims of workers that are dead or silent, names to forget, a
 * clock that was set back.
 */
import type { Clock } from '../delivery/system-clock.js';
import type { QueueObserver } from './queue-observer.js';
import type { QueueStore } from './queue-store.js';

export interface HousekeepingOptions {
  readonly store: QueueStore;
  readonly observer: QueueObserver;
  readonly isDead: (holder: string) => boolean;
  readonly leaseMs: number;
  readonly clock: Clock;
  /** Renews what is in flight here: whatever the clock says, this process is not silent. */
  readonly keepOwn: () => Promise<void>;
}

/** If leases are not shorter. */
const EVERY_MS = 60_000;

export class Housekeeping {
  readonly #options: HousekeepingOptions;
  #dueAt = -Infinity;
  #lastAt = -Infinity;

  constructor(options: HousekeepingOptions) {
    this.#options = options;
  }

  /** Also when the clock was set back: the time would be long in coming. */
  isDue(): boolean {
    const now = this.#options.clock.now();
    return now >= this.#dueAt || now < this.#lastAt;
  }

  /** Never rejects: it is tried again. */
  async run(): Promise<void> {
    const { store, observer, isDead, leaseMs, clock, keepOwn } = this.#options;
    const at = clock.now();
    this.#lastAt = at;
    this.#dueAt = at + Math.min(leaseMs / 3, EVERY_MS);
    try {
      await keepOwn();
      const { dead, silent } = await store.freeClaims(at, isDead);
      if (dead > 0) observer.emit({ type: 'claims-freed', at, entries: dead, why: 'dead' });
      if (silent > 0) observer.emit({ type: 'claims-freed', at, entries: silent, why: 'silent' });
      await store.tidy(at);
    } catch (error) {
      observer.trouble('freeing claims', error, at);
    }
  }
}
