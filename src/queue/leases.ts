/**
 * Keeps what this process has claimed its own: renews the leases every third of their time, for as
 * long as something is in flight, and stops what somebody else has got meanwhile.
 */
import { doze, type Clock } from '../delivery/system-clock.js';
import type { Claim, ClaimBy, QueueStore } from './queue-store.js';

/** A claim in flight. */
export interface Leased {
  readonly claim: Claim;
  readonly controller: AbortController;
}

export interface LeasesOptions {
  readonly store: QueueStore;
  readonly leaseMs: number;
  readonly clock: Clock;
  readonly by: () => ClaimBy;
  readonly onTrouble: (error: unknown) => void;
}

export class Leases {
  readonly #options: LeasesOptions;
  readonly #inFlight = new Set<Leased>();
  #renewing: AbortController | undefined;
  #closed = false;

  constructor(options: LeasesOptions) {
    this.#options = options;
  }

  enter(claim: Claim): Leased {
    const leased = { claim, controller: new AbortController() };
    this.#inFlight.add(leased);
    if (!this.#renewing && !this.#closed) void this.#renew();
    return leased;
  }

  leave(leased: Leased): void {
    this.#inFlight.delete(leased);
  }

  close(): void {
    this.#closed = true;
    this.#renewing?.abort();
  }

  // The compiler does not see that it changes while something is awaited.
  #isClosed(): boolean {
    return this.#closed;
  }

  async #renew(): Promise<void> {
    const { store, leaseMs, clock, by, onTrouble } = this.#options;
    this.#renewing = new AbortController();
    const { signal } = this.#renewing;
    while (this.#inFlight.size > 0 && !this.#isClosed()) {
      try {
        await doze(clock, leaseMs / 3, signal);
        const inFlight = [...this.#inFlight];
        const entries = inFlight.flatMap(({ claim }) => claim.entries);
        const lost = new Set(await store.renew(by(), entries));
        for (const leased of inFlight) {
          // Somebody else is at it: what has not left yet must not leave twice.
          const isLost = leased.claim.entries.some(({ key }) => lost.has(key));
          if (isLost && this.#inFlight.has(leased)) leased.controller.abort();
        }
      } catch (error) {
        if (!this.#isClosed()) onTrouble(error);
      }
    }
    this.#renewing = undefined;
  }
}
