/**
 * Answers by name, kept for as long as each says, and one look-up under way for each name: those
 * who ask meanwhile share it.
 */
import { LRUCache } from 'lru-cache';

/** An answer, and how long it holds. 0: for those who wait for it now. */
export interface Fetched<V> {
  readonly value: V;
  readonly ttlMs: number;
}

export interface LookupCacheOptions<V extends object> {
  /** How many answers are kept; 0 for none. */
  readonly size: number;
  /** Never rejects. */
  readonly fetch: (name: string) => Promise<Fetched<V>>;
  readonly clock?: { now(): number } | undefined;
}

export class LookupCache<V extends object> {
  readonly #kept: LRUCache<string, V> | undefined;
  readonly #underWay = new Map<string, Promise<V>>();
  readonly #fetch: (name: string) => Promise<Fetched<V>>;

  constructor({ size, fetch, clock }: LookupCacheOptions<V>) {
    // `ttlResolution` 0: else it would look at the clock only now and then, by a timer.
    if (size > 0) this.#kept = new LRUCache<string, V>({ max: size, ttlResolution: 0, ...(clock && { perf: clock }) });
    this.#fetch = fetch;
  }

  /** What is remembered now. */
  kept(name: string): V | undefined {
    return this.#kept?.get(name);
  }

  /** From memory, or from the look-up that is under way or begins now. */
  get(name: string): Promise<V> {
    const kept = this.kept(name);
    if (kept) return Promise.resolve(kept);
    let underWay = this.#underWay.get(name);
    if (!underWay) {
      underWay = this.#look(name);
      this.#underWay.set(name, underWay);
    }
    return underWay;
  }

  async #look(name: string): Promise<V> {
    const { value, ttlMs } = await this.#fetch(name);
    this.#underWay.delete(name);
    // lru-cache takes 0 for no end.
    if (ttlMs > 0) this.#kept?.set(name, value, { ttl: Math.ceil(ttlMs) });
    return value;
  }
}
