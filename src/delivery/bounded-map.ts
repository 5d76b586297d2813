/**
 * Memory by name that outsiders cannot fill: mail to ever new domains must not grow it without end.
 * When it is full, the oldest entries go; one that is still needed goes to the end of the line.
 */

export class BoundedMap<V> {
  readonly #entries = new Map<string, V>();
  readonly #limit: number;
  readonly #mayGo: (value: V) => boolean;
  /** Goes along the line. Kept, because a new one has a step to make for each entry that was deleted at the front. */
  #hand: Iterator<[string, V]>;

  /** @param mayGo whether an entry can be done without now; default all */
  constructor(limit: number, mayGo: (value: V) => boolean = () => true) {
    this.#limit = limit;
    this.#mayGo = mayGo;
    this.#hand = this.#entries.entries();
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
    for (let looks = 0; looks < 2 && this.#entries.size > this.#limit; looks++) this.#lookAtNext(key);
  }

  entries(): Iterable<[string, V]> {
    return this.#entries;
  }

  #lookAtNext(justSet: string): void {
    let next = this.#hand.next();
    if (next.done) {
      this.#hand = this.#entries.entries();
      next = this.#hand.next();
    }
    if (next.done) return;
    const [key, value] = next.value;
    if (key === justSet) return;
    this.#entries.delete(key);
    if (!this.#mayGo(value)) this.#entries.set(key, value);
  }
}
