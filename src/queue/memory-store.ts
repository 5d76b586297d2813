/**
 * A store in memory, for tests and for mail that may be lost with the process. Each method is done
 * in one go, which makes it atomic.
 */
import type { Message } from '../delivery/relay-transport.js';
import type { HostStatus, QueueCounters, ShownEntry, Suspension, TopHostsOptions } from './delivery-queue.js';
import { addCounts, countsOf } from './domain-tally.js';
import type { DomainShares } from './domain-shares.js';
import { MemoryDomains, type StoredEntry } from './memory-domains.js';
import { onePiece, pieces } from './message-bytes.js';
import type { QueuedMessage } from './queue-entry.js';
import type {
  Alteration,
  Altered,
  Claim,
  ClaimBy,
  ClaimedEntry,
  ClaimRequest,
  EntryResult,
  NewMail,
  Put,
  QueueStore,
  SetAside,
  Settled,
  Settlement,
  Window,
} from './queue-store.js';
import { fits, shownRecipients } from './which-mail.js';

/** How long the names of messages are known after their end. */
export const REMEMBER_MS: number = 24 * 3_600_000;

export interface StoredMessage {
  readonly message: QueuedMessage;
  readonly body: Uint8Array;
  readonly named: boolean;
  readonly entries: Set<StoredEntry>;
}

export class MemoryStore implements QueueStore {
  readonly #maxMessageBytes: number;
  readonly #messages = new Map<string, StoredMessage>();
  readonly #ended = new Map<string, number>();
  readonly #entries = new Map<number, StoredEntry>();
  readonly #domains = new MemoryDomains();
  #keys = 0;
  #tokens = 0;
  onSetAside?: (what: SetAside) => void;

  constructor({ maxMessageBytes }: { readonly maxMessageBytes: number }) {
    this.#maxMessageBytes = maxMessageBytes;
  }

  async put(mail: NewMail, claim: { readonly by: ClaimBy; readonly now: number } | undefined): Promise<Put> {
    const body = await bytesOf(mail.body, this.#maxMessageBytes);
    return this.#put(mail, body, claim);
  }

  #put(
    { message, entries, named }: NewMail,
    body: Uint8Array,
    claim: { readonly by: ClaimBy; readonly now: number } | undefined,
  ): Put {
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
      if (claim && this.#domains.isFree(domain)) claimed.push(this.#claimOne(row, claim.by));
      else this.#domains.wait(row);
    }
    return { known: false, size, claimed };
  }

  claim({ by, now, dueBy, turns, shares }: ClaimRequest): Promise<Claim[]> {
    const claims: Claim[] = [];
    const taken = new Map<string, number>();
    const hasRoom = (domain: string): boolean => shares.hasRoom(domain, taken.get(domain));
    for (const turn of turns()) {
      const row = this.#domains.firstDue(turn, dueBy, hasRoom);
      if (!row) break;
      const together = [...row.message.entries].filter(
        (one) =>
          one === row ||
          (one.status === 'waiting' &&
            one.dueAt <= now &&
            this.#domains.isFree(one.domain) &&
            hasRoom(one.domain.name)),
      );
      for (const { domain } of together) taken.set(domain.name, (taken.get(domain.name) ?? 0) + 1);
      claims.push(this.#claimAll(row.message, together, by));
    }
    return Promise.resolve(claims);
  }

  claimMatching(by: ClaimBy, window: Window): Promise<Altered & { readonly claims: readonly Claim[] }> {
    const byMessage = new Map<StoredMessage, StoredEntry[]>();
    const altered = this.#inWindow(window, (row) => {
      const others = byMessage.get(row.message);
      if (others) others.push(row);
      else byMessage.set(row.message, [row]);
    });
    return Promise.resolve({
      ...altered,
      claims: [...byMessage].map(([message, rows]) => this.#claimAll(message, rows, by)),
    });
  }

  #claimAll({ message, body }: StoredMessage, rows: readonly StoredEntry[], by: ClaimBy): Claim {
    return { message, body, entries: rows.map((row) => this.#claimOne(row, by)) };
  }

  #claimOne(row: StoredEntry, { holder, leaseUntil }: ClaimBy): ClaimedEntry {
    Object.assign(row, { status: 'in-flight', token: ++this.#tokens, holder, leaseUntil });
    return { key: row.key, token: row.token, entry: row.entry };
  }

  async settle({ now, results, mail }: Settlement): Promise<Settled> {
    const bodies = await Promise.all(mail.map(({ body }) => bytesOf(body, Infinity)));
    const lost: number[] = [];
    const woken: { domain: string; entries: number }[] = [];
    const messages = new Set<StoredMessage>();
    let left = 0;
    for (const result of results) {
      const row = this.#entries.get(result.key);
      if (row) messages.add(row.message);
      if (!row || row.token !== result.token || row.status !== 'in-flight') {
        lost.push(result.key);
        if (row) this.#without(row, result.gone, now);
        continue;
      }
      this.#domains.record(row.domain, result, now);
      this.#follow(row, result, now);
      if (result.wakeBefore !== undefined) {
        const entries = this.#domains.wake(row.domain, result.wakeBefore, now);
        if (entries > 0) woken.push({ domain: result.domain, entries });
      }
    }
    for (const message of messages) left += message.entries.size;
    mail.forEach((one, i) => this.#put(one, bodies[i] ?? new Uint8Array(), undefined));
    return { lost, done: messages.size > 0 && left === 0, woken };
  }

  #follow(row: StoredEntry, { next }: EntryResult, now: number): void {
    if (next.then === 'done') {
      this.#end(row, now);
      return;
    }
    // A late result of somebody else may have removed some meanwhile.
    const still = new Set(row.entry.recipients.map(({ recipient }) => recipient));
    const recipients = next.entry.recipients.filter(({ recipient }) => still.has(recipient));
    if (recipients.length === 0) {
      this.#end(row, now);
      return;
    }
    row.entry = { ...next.entry, recipients, ...(row.entry.via && { via: row.entry.via }) };
    if (next.then === 'held') row.status = 'held';
    else this.#domains.wait(Object.assign(row, { status: 'waiting', kind: 'retry', dueAt: next.at, setAt: now }));
  }

  /** What a late result says was delivered is never tried again, whoever has the entry now. */
  #without(row: StoredEntry, gone: readonly string[], now: number): void {
    const recipients = row.entry.recipients.filter(({ recipient }) => !gone.includes(recipient));
    if (recipients.length === row.entry.recipients.length) return;
    addCounts(row.domain.counts, { ...countsOf(NOTHING), delivered: row.entry.recipients.length - recipients.length });
    if (recipients.length === 0 && row.status !== 'in-flight') this.#end(row, now);
    else row.entry = { ...row.entry, recipients };
  }

  #end(row: StoredEntry, now: number): void {
    this.#entries.delete(row.key);
    row.domain.entries.delete(row);
    row.message.entries.delete(row);
    row.status = 'held';
    if (row.message.entries.size > 0) return;
    const { id } = row.message.message;
    this.#messages.delete(id);
    if (row.message.named) this.#ended.set(id, now);
  }

  giveBack(entries: readonly ClaimedEntry[]): Promise<void> {
    for (const { key, token } of entries) {
      const row = this.#entries.get(key);
      if (row?.token === token && row.status === 'in-flight') this.#putBack(row);
    }
    return Promise.resolve();
  }

  renew({ leaseUntil }: ClaimBy, entries: readonly ClaimedEntry[]): Promise<number[]> {
    return Promise.resolve(
      entries.flatMap(({ key, token }) => {
        const row = this.#entries.get(key);
        if (row?.token !== token || row.status !== 'in-flight') return [key];
        row.leaseUntil = leaseUntil;
        return [];
      }),
    );
  }

  freeClaims(now: number): Promise<{ readonly dead: number; readonly silent: number }> {
    let silent = 0;
    for (const row of this.#entries.values()) {
      if (row.status !== 'in-flight' || row.leaseUntil > now) continue;
      this.#putBack(row);
      silent++;
    }
    return Promise.resolve({ dead: 0, silent });
  }

  #putBack(row: StoredEntry): void {
    row.status = row.entry.recipients.every(({ held }) => held) ? 'held' : 'waiting';
    row.token = ++this.#tokens;
    if (row.status === 'waiting') this.#domains.wait(row);
  }

  nextDueAt(shares: DomainShares): Promise<number | undefined> {
    return Promise.resolve(this.#domains.nextDueAt((domain) => shares.hasRoom(domain)));
  }

  alter(alteration: Alteration, window: Window): Promise<Altered> {
    return Promise.resolve(this.#inWindow(window, (row) => this.#alterOne(alteration, row, window.now)));
  }

  #alterOne(alteration: Alteration, row: StoredEntry, now: number): boolean {
    switch (alteration.do) {
      case 'remove':
        row.domain.counts.removed += row.entry.recipients.length;
        this.#end(row, now);
        return true;
      case 'make-due':
        if (row.status !== 'waiting') return false;
        if (row.dueAt > now) this.#domains.makeDue(row, now);
        return true;
      case 'release':
        if (row.status !== 'held' && !row.entry.recipients.some(({ held }) => held)) return false;
        row.entry = { ...row.entry, recipients: row.entry.recipients.map(({ held: _, ...rest }) => rest) };
        this.#domains.wait(Object.assign(row, { status: 'waiting', kind: 'retry', dueAt: now, setAt: now }));
        return true;
      case 'redirect': {
        const { via: _, ...rest } = row.entry;
        row.entry = alteration.via ? { ...rest, via: alteration.via } : rest;
        return true;
      }
    }
  }

  show(window: Window): Promise<{ readonly entries: readonly ShownEntry[]; readonly next?: number }> {
    const entries: ShownEntry[] = [];
    for (const row of this.#entries.values()) {
      if (row.key <= window.after || !fits(window.filter, window.now, factsOf(row))) continue;
      const { status, dueAt, entry } = row;
      entries.push({
        ...factsOf(row),
        size: row.message.message.size,
        retries: entry.retries,
        ...(status !== 'held' && { nextAttemptAt: dueAt }),
        ...(entry.via && { via: entry.via }),
        recipients: shownRecipients(entry),
      });
      if (entries.length === window.limit) return Promise.resolve({ entries, next: row.key });
    }
    return Promise.resolve({ entries });
  }

  #inWindow({ filter, now, after, limit }: Window, act: (row: StoredEntry) => unknown): Altered {
    const altered = { entries: 0, recipients: 0, inFlight: 0 };
    let seen = 0;
    for (const row of [...this.#entries.values()]) {
      if (row.key <= after || !fits(filter, now, factsOf(row))) continue;
      if (seen++ === limit) return { ...altered, next: row.key - 1 };
      const { length } = row.entry.recipients;
      if (row.status === 'in-flight') altered.inFlight++;
      else if (act(row) !== false) {
        altered.entries++;
        altered.recipients += length;
      }
    }
    return altered;
  }

  suspend(domain: string | undefined, suspended: boolean): Promise<Suspension> {
    return Promise.resolve(this.#domains.suspend(domain, suspended));
  }

  hostStatus(domain: string): Promise<HostStatus> {
    return Promise.resolve(this.#domains.status(domain));
  }

  topHosts(options: Required<TopHostsOptions>): Promise<HostStatus[]> {
    return Promise.resolve(this.#domains.top(options));
  }

  counters(): Promise<QueueCounters> {
    return Promise.resolve(this.#domains.sum());
  }

  tidy(now: number): Promise<void> {
    for (const [id, at] of this.#ended) if (now - at > REMEMBER_MS) this.#ended.delete(id);
    // Whatever was set at a later time than now was set before the clock was set back.
    for (const row of this.#entries.values()) {
      if (row.status !== 'waiting' || row.setAt <= now) continue;
      const back = row.setAt - now;
      this.#domains.wait(Object.assign(row, { dueAt: row.dueAt - back, setAt: now }));
    }
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

const NOTHING = { delivered: 0, discarded: 0, softBounces: 0, hardBounces: {} };

function factsOf({
  message: { message },
  domain,
  status,
}: StoredEntry): Pick<ShownEntry, 'id' | 'domain' | 'from' | 'arrivalAt' | 'status'> {
  const { id, from, arrivalAt } = message;
  return { id, domain: domain.name, from, arrivalAt, status };
}

async function bytesOf(body: Message, limit: number): Promise<Uint8Array> {
  const whole = onePiece(body, limit);
  if (whole) return whole;
  const parts: Uint8Array[] = [];
  for await (const piece of pieces(body, limit)) parts.push(piece);
  return Buffer.concat(parts);
}
