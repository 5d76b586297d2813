/**
 * Messages and entries in memory, and what adds, claims and ends them.
 */
import { addCounts, noCounts } from '../domain-tally.js';
import type { MemoryDomains, StoredEntry, StoredMessage } from './memory-domains.js';
import { REMEMBER_MS } from '../message-id.js';
import type { ClaimBy, ClaimedEntry, NewMail, Put } from '../queue-store.js';

export class MemoryRows {
  readonly #domains: MemoryDomains;
  readonly #messages = new Map<string, StoredMessage>();
  readonly #ended = new Map<string, number>();
  readonly #entries = new Map<number, StoredEntry>();
  #keys = 0;
  #tokens = 0;

  constructor(domains: MemoryDomains) {
    this.#domains = domains;
  }

  get(key: number): StoredEntry | undefined {
    return this.#entries.get(key);
  }

  /** The key of the newest entry. */
  newest(): number {
    return this.#keys;
  }

  /** In the order of arrival. */
  all(): Iterable<StoredEntry> {
    return this.#entries.values();
  }

  /** A message and its entries, claimed along with it where they may be. */
  put({ message, entries, named }: NewMail, body: Uint8Array, by: ClaimBy | undefined): Put {
    const size = body.byteLength;
    if (this.#messages.has(message.id) || this.#ended.has(message.id)) return { known: true, size, claimed: [] };
    const stored: StoredMessage = { message: { ...message, size }, body, named, entries: new Set() };
    this.#messages.set(message.id, stored);
    const claimed: ClaimedEntry[] = [];
    for (const entry of entries) {
      const domain = this.#domains.of(entry.domain);
      const row: StoredEntry = {
        key: ++this.#keys,
        message: stored,
        entry,
        domain,
        status: 'waiting',
        kind: 'new',
        dueAt: message.arrivalAt,
        setAt: message.arrivalAt,
        token: 0,
        holder: '',
        leaseUntil: 0,
      };
      this.#entries.set(row.key, row);
      stored.entries.add(row);
      domain.entries.add(row);
      if (by && this.#domains.isFree(domain)) claimed.push(this.claim(row, by));
      else this.#domains.wait(row);
    }
    return { known: false, size, claimed, body };
  }

  claim(row: StoredEntry, { holder, leaseUntil }: ClaimBy): ClaimedEntry {
    this.fence(row);
    Object.assign(row, { status: 'in-flight', holder, leaseUntil });
    return { key: row.key, token: row.token, entry: row.entry };
  }

  /** Results of earlier claims come too late from now on. */
  fence(row: StoredEntry): void {
    row.token = ++this.#tokens;
  }

  /** What a late result says was delivered is never tried again, whoever has the entry now. */
  without(row: StoredEntry, gone: readonly string[], now: number): void {
    const recipients = row.entry.recipients.filter(({ recipient }) => !gone.includes(recipient));
    if (recipients.length === row.entry.recipients.length) return;
    addCounts(row.domain.counts, { ...noCounts(), delivered: row.entry.recipients.length - recipients.length });
    // Who has it in flight finds it gone, as it would a claim that was taken over.
    if (recipients.length === 0) this.end(row, now);
    else row.entry = { ...row.entry, recipients };
  }

  end(row: StoredEntry, now: number): void {
    this.#entries.delete(row.key);
    row.domain.entries.delete(row);
    row.message.entries.delete(row);
    row.status = 'held';
    if (row.message.entries.size > 0) return;
    const { id } = row.message.message;
    this.#messages.delete(id);
    if (row.message.named) this.#ended.set(id, now);
  }

  forgetNames(now: number): void {
    for (const [id, at] of this.#ended) if (now - at > REMEMBER_MS) this.#ended.delete(id);
  }
}
