/**
 * Things that come and go with each message, in no order. Not a `Set`: one that is filled and
 * emptied all the time rebuilds its table as often, and the old tables, once promoted, keep the
 * garbage of later messages alive (measured: 1,257 promoted bytes a message, against 2).
 */

/** What can be in a bag: it remembers its place there. */
export interface Bagged {
  place?: number | undefined;
}

export class Bag<Item extends Bagged> implements Iterable<Item> {
  readonly #items: Item[] = [];

  get size(): number {
    return this.#items.length;
  }

  add(item: Item): void {
    item.place = this.#items.length;
    this.#items.push(item);
  }

  /** Whether it was in the bag. */
  delete(item: Item): boolean {
    const { place } = item;
    if (place === undefined || this.#items[place] !== item) return false;
    item.place = undefined;
    const last = this.#items.pop();
    if (last && last !== item) {
      this.#items[place] = last;
      last.place = place;
    }
    return true;
  }

  [Symbol.iterator](): Iterator<Item> {
    return this.#items[Symbol.iterator]();
  }
}
