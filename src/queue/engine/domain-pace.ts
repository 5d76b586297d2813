/**
 * When to look again at mail for a domain that has its share of this worker: about when its turn
 * comes, by how long attempts to the domain take of late. An engine hands out what is due without
 * looking at domains, so what finds no room is put off, spread over the time to come.
 */

interface Pace {
  /** How long an attempt takes, smoothed. */
  attemptMs: number;
  /** When the next that is put off comes back. */
  nextAt: number;
}

const UNKNOWN_MS = 1_000;
const LEAST_MS = 50;
const MOST_MS = 60_000;
/** Domains remembered; those not seen for longest go first. */
const MOST_DOMAINS = 10_000;

export class DomainPace {
  readonly #share: number;
  readonly #paces = new Map<string, Pace>();

  /** @param share attempts at once to one domain */
  constructor(share: number) {
    this.#share = share;
  }

  took(domain: string, ms: number): void {
    const pace = this.#of(domain);
    pace.attemptMs = pace.attemptMs * 0.8 + ms * 0.2;
  }

  /** The time until which one more message for the domain is put off. */
  putOff(domain: string, now: number): number {
    const pace = this.#of(domain);
    const step = pace.attemptMs / this.#share;
    pace.nextAt = Math.min(Math.max(pace.nextAt + step, now + LEAST_MS), now + MOST_MS);
    return pace.nextAt;
  }

  #of(domain: string): Pace {
    const known = this.#paces.get(domain) ?? { attemptMs: UNKNOWN_MS, nextAt: 0 };
    this.#paces.delete(domain);
    this.#paces.set(domain, known);
    const [oldest] = this.#paces.keys();
    if (this.#paces.size > MOST_DOMAINS && oldest !== undefined) this.#paces.delete(oldest);
    return known;
  }
}
