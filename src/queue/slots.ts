/**
 * Workers as places to take: counted, and waited for in the order of coming. Who cannot use one yet
 * does not hold up the others.
 */

/** Takes whatever else is needed beside a place, or nothing. */
type TakeMore = () => boolean;

const nothingMore: TakeMore = () => true;

export class Slots {
  readonly total: number;
  #taken = 0;
  #waiting: { readonly takeMore: TakeMore; readonly resolve: () => void }[] = [];

  constructor(total: number) {
    this.total = total;
  }

  /** Never below 0: more may be taken for a moment than there are. */
  get free(): number {
    return Math.max(0, this.total - this.#taken);
  }

  take(count: number): void {
    this.#taken += count;
  }

  giveBack(count: number): void {
    this.#taken -= count;
    this.#handOver();
  }

  leave(): void {
    this.giveBack(1);
  }

  /** Resolves when a place was taken for the caller, and `takeMore` has answered that it took the rest. */
  async wait(takeMore: TakeMore = nothingMore): Promise<void> {
    // Where a place is free, those who wait already wait for something else.
    if (this.#took(takeMore)) return;
    await new Promise<void>((resolve) => this.#waiting.push({ takeMore, resolve }));
  }

  #handOver(): void {
    if (this.#waiting.length === 0) return;
    this.#waiting = this.#waiting.filter(({ takeMore, resolve }) => {
      if (!this.#took(takeMore)) return true;
      resolve();
      return false;
    });
  }

  #took(takeMore: TakeMore): boolean {
    if (this.free === 0 || !takeMore()) return false;
    this.#taken++;
    return true;
  }
}
