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
  /** As far as we know. */
  leaseUntil: number;
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
    const { leaseUntil } = this.#options.by();
    const leased = { claim, controller: new AbortController(), leaseUntil };
    this.#inFlight.add(leased);
    if (!this.#renewing && !this.#closed) void this.#keepRenewing();
    return leased;
  }

  leave(leased: Leased): void {
    this.#inFlight.delete(leased);
  }

  /**
   * Renews what is over by the clock, or nearly, though it is renewed in time: the clock was set
   * forward, or this process stood still. To be done before silent claims are freed or taken over.
   */
  async catchUp(): Promise<void> {
    const { leaseMs, clock } = this.#options;
    const soon = clock.now() + leaseMs / 3;
    await this.#renew([...this.#inFlight].filter(({ leaseUntil }) => leaseUntil <= soon));
  }

  close(): void {
    this.#closed = true;
    this.#renewing?.abort();
  }

  // The compiler does not see that it changes while something is awaited.
  #isClosed(): boolean {
    return this.#closed;
  }

  async #keepRenewing(): Promise<void> {
    const { leaseMs, clock, onTrouble } = this.#options;
    this.#renewing = new AbortController();
    const { signal } = this.#renewing;
    while (this.#inFlight.size > 0 && !this.#isClosed()) {
      try {
        await doze(clock, leaseMs / 3, signal);
        await this.#renew([...this.#inFlight]);
      } catch (error) {
        if (!this.#isClosed()) onTrouble(error);
      }
    }
    this.#renewing = undefined;
  }

  async #renew(all: readonly Leased[]): Promise<void> {
    if (all.length === 0) return;
    const by = this.#options.by();
    const entries = all.flatMap(({ claim }) => claim.entries);
    const lost = new Set(await this.#options.store.renew(by, entries));
    for (const leased of all) {
      leased.leaseUntil = by.leaseUntil;
      // Somebody else is at it: what has not left yet must not leave twice.
      const isLost = leased.claim.entries.some(({ key }) => lost.has(key));
      if (isLost && this.#inFlight.has(leased)) leased.controller.abort();
    }
  }
}
