/**
 * The keys of the queue in Redis, all under one prefix; of BullMQ's own only BullMQ knows. The
 * braces keep them on one node of a cluster, as the script needs.
 */

export class RedisKeys {
  readonly #base: string;

  constructor(prefix: string, name: string) {
    this.#base = `${prefix}:{${name}}:mail:`;
  }

  /** The number of the last message. */
  get last(): string {
    return `${this.#base}last`;
  }

  /** Numbers of messages by id. */
  get ids(): string {
    return `${this.#base}ids`;
  }

  /** Ids that the app gave, by when their message ended. */
  get ended(): string {
    return `${this.#base}ended`;
  }

  /** Names of bodies in the `MessageStore`, by number. */
  get bodies(): string {
    return `${this.#base}bodies`;
  }

  /** Messages nobody has in flight, by when their job is due. */
  get alarms(): string {
    return `${this.#base}alarms`;
  }

  /** Messages in flight, by when the lease ends. */
  get leases(): string {
    return `${this.#base}leases`;
  }

  get holders(): string {
    return `${this.#base}holders`;
  }

  get suspended(): string {
    return `${this.#base}suspended`;
  }

  get wake(): string {
    return `${this.#base}wake`;
  }

  get total(): string {
    return `${this.#base}total`;
  }

  record(seq: number): string {
    return `${this.#base}message:${String(seq)}`;
  }

  heldBy(holder: string): string {
    return `${this.#base}held:${holder}`;
  }

  /** Keys of entries, in the order of arrival: of a domain, or all. */
  entries(domain?: string): string {
    return domain === undefined ? `${this.#base}entries` : `${this.#base}entries:${domain}`;
  }

  /** Keys of entries that wait for a retry to a domain, by when. */
  retries(domain: string): string {
    return `${this.#base}retries:${domain}`;
  }

  counts(domain: string): string {
    return `${this.#base}counts:${domain}`;
  }

  /** Domains by what is counted of them. */
  top(by: string): string {
    return `${this.#base}top:${by}`;
  }
}
