/**
 * Memory by name that outsiders cannot fill: mail to ever new domains must not grow it without end.
 * When it is full, the oldest entries go, but none that is still needed.
 */

export class BoundedMap<V> {
  readonly #entries = new Map<string, V>();
  readonly #limit: number;
  readonly #mayGo: (value: V) => boolean;

  /** @param mayGo whether an entry can be done without now; default all */
  constructor(limit: number, mayGo: (value: V) => boolean = () => true) {
    this.#limit = limit;
    this.#mayGo = mayGo;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): V | undefined {
    return this.#entries.get(key);
  }

  set(key: string, value: V): void {
    this.#entries.set(key, value);
    // Two looks for each addition: one that is full of what is needed shrinks again when that changes.
    for (let looks = 0; looks < 2 && this.#entries.size > this.#limit; looks++) this.#dropOldest();
  }

  entries(): Iterable<[string, V]> {
    return this.#entries;
  }

  #dropOldest(): void {
    for (const [key, value] of this.#entries) {
      this.#entries.delete(key);
      // Needed: to the end of the line.
      if (!this.#mayGo(value)) this.#entries.set(key, value);
      return;
    }
  }
}
