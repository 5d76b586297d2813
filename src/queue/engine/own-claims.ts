/**
 * What this process has claimed on the engine and what of it is in flight here, so that a claim
 * that was stored and never reached us can be told: its answer was lost, or another of its round
 * failed. No lease would end it while this process lives and is known to.
 */
import type { ClaimedEntry } from '../queue-store.js';

export class OwnClaims {
  readonly #inFlight = new Map<number, { readonly token: number; readonly since: number }>();
  readonly #underWay = new Set<Promise<unknown>>();
  /** Of all claims of this process; undefined before the first. */
  holder: string | undefined;

  /** A claim being made. What it gets has to be noted before it ends. */
  async during<T>(holder: string, claim: () => Promise<T>): Promise<T> {
    this.holder = holder;
    const made = claim();
    this.#underWay.add(made);
    try {
      return await made;
    } finally {
      this.#underWay.delete(made);
    }
  }

  /** Resolves when the claims being made now are noted, or have failed. */
  async made(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }

  note(entries: readonly ClaimedEntry[], now: number): void {
    for (const { key, token } of entries) this.#inFlight.set(key, { token, since: now });
  }

  isInFlight({ key, token }: Pick<ClaimedEntry, 'key' | 'token'>): boolean {
    return this.#inFlight.get(key)?.token === token;
  }

  /** Answers since when it was in flight here. */
  end({ key, token }: Pick<ClaimedEntry, 'key' | 'token'>): number | undefined {
    const claim = this.#inFlight.get(key);
    if (claim?.token !== token) return undefined;
    this.#inFlight.delete(key);
    return claim.since;
  }
}
