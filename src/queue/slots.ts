/**
 * Workers as places to take: counted, and waited for in the order of coming.
 */

export class Slots {
  readonly total: number;
  #taken = 0;
  readonly #waiting: (() => void)[] = [];

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

  /** Resolves when a place was taken for the caller. */
  async wait(): Promise<void> {
    if (this.#waiting.length === 0 && this.free > 0) {
      this.#taken++;
      return;
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #handOver(): void {
    while (this.#waiting.length > 0 && this.free > 0) {
      this.#taken++;
      this.#waiting.shift()?.();
    }
  }
}
