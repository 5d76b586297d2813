/**
 * How many workers each domain has, so that one domain, dead or slow or merely large, cannot
 * occupy them all.
 */

export class DomainShares {
  readonly #share: number;
  readonly #inFlight = new Map<string, number>();

  /** @param share entries in flight to one domain at most */
  constructor(share: number) {
    this.#share = share;
  }

  hasRoom(domain: string, more = 0): boolean {
    return (this.#inFlight.get(domain) ?? 0) + more < this.#share;
  }

  /** Domains without room. There cannot be more of them than there are workers. */
  full(): string[] {
    return [...this.#inFlight].flatMap(([domain, count]) => (count >= this.#share ? [domain] : []));
  }

  inFlight(domain: string): number {
    return this.#inFlight.get(domain) ?? 0;
  }

  take(domain: string): void {
    this.#inFlight.set(domain, this.inFlight(domain) + 1);
  }

  /** A place for each of these domains, or for none. */
  takeAll(domains: readonly string[]): boolean {
    if (!domains.every((domain) => this.hasRoom(domain))) return false;
    for (const domain of domains) this.take(domain);
    return true;
  }

  leave(domain: string): void {
    const left = this.inFlight(domain) - 1;
    if (left > 0) this.#inFlight.set(domain, left);
    else this.#inFlight.delete(domain);
  }
}
