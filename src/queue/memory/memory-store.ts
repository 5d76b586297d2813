/**
 * A store in memory, for tests and for mail that may be lost with the process. Each method is done
 * in one go, which makes it atomic.
 */
import type { Message } from '../../delivery/relay-transport.js';
import type { HostStatus, QueueCounters, ShownEntry, Suspension, TopHostsOptions } from '../delivery-queue.js';
import type { DomainShares } from '../domain-shares.js';
import { MemoryDomains, type StoredEntry, type StoredMessage } from './memory-domains.js';
import { alterWindow, showWindow } from './memory-windows.js';
import { onePiece, pieces } from '../message-bytes.js';
import { MemoryRows } from './memory-rows.js';
import {
  isLate,
  type Alteration,
  type Altered,
  type Claim,
  type ClaimBy,
  type ClaimedEntry,
  type ClaimRequest,
  type EntryResult,
  type NewMail,
  type Put,
  type QueueStore,
  type SetAside,
  type Settled,
  type Settlement,
  type Window,
} from '../queue-store.js';

export class MemoryStore implements QueueStore {
  readonly #maxMessageBytes: number;
  readonly #domains = new MemoryDomains();
  readonly #rows = new MemoryRows(this.#domains);
  onSetAside?: (what: SetAside) => void;

  constructor({ maxMessageBytes }: { readonly maxMessageBytes: number }) {
    this.#maxMessageBytes = maxMessageBytes;
  }

  async put(mail: NewMail, claim: { readonly by: ClaimBy; readonly now: number } | undefined): Promise<Put> {
    const body = await bytesOf(mail.body, this.#maxMessageBytes);
    return this.#rows.put(mail, body, claim?.by);
  }

  claim({ by, now, dueBy, turns, shares }: ClaimRequest): Promise<Claim[]> {
    const claims: Claim[] = [];
    const taken = new Map<string, number>();
    const hasRoom = (domain: string): boolean => shares.hasRoom(domain, taken.get(domain));
    for (const turn of turns()) {
      const row = this.#domains.firstDue(turn, { new: now, retry: dueBy }, hasRoom);
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
    const altered = alterWindow(this.#rows.all(), window, (row) => {
      const others = byMessage.get(row.message);
      if (others) others.push(row);
      else byMessage.set(row.message, [row]);
      return true;
    });
    return Promise.resolve({
      ...altered,
      claims: [...byMessage].map(([message, rows]) => this.#claimAll(message, rows, by)),
    });
  }

  #claimAll({ message, body }: StoredMessage, rows: readonly StoredEntry[], by: ClaimBy): Claim {
    return { message, body, entries: rows.map((row) => this.#rows.claim(row, by)) };
  }

  async settle(settlement: Settlement): Promise<Settled> {
    const { now, results, mail } = settlement;
    const bodies = await Promise.all(mail.map(({ body }) => bytesOf(body, Infinity)));
    const lost: number[] = [];
    const woken: { domain: string; entries: number }[] = [];
    const messages = new Set<StoredMessage>();
    let left = 0;
    for (const result of results) {
      const row = this.#rows.get(result.key);
      if (row) messages.add(row.message);
      if (!row || row.token !== result.token || row.status !== 'in-flight') {
        lost.push(result.key);
        if (row) this.#rows.without(row, result.gone, now);
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
    if (!isLate(settlement, lost)) {
      mail.forEach((one, i) => this.#rows.put(one, bodies[i] ?? new Uint8Array(), undefined));
    }
    return { lost, done: messages.size > 0 && left === 0, woken };
  }

  #follow(row: StoredEntry, { next }: EntryResult, now: number): void {
    if (next.then === 'done') {
      this.#rows.end(row, now);
      return;
    }
    // A late result of somebody else may have removed some meanwhile.
    const still = new Set(row.entry.recipients.map(({ recipient }) => recipient));
    const recipients = next.entry.recipients.filter(({ recipient }) => still.has(recipient));
    if (recipients.length === 0) {
      this.#rows.end(row, now);
      return;
    }
    row.entry = { ...next.entry, recipients, ...(row.entry.via && { via: row.entry.via }) };
    if (next.then === 'held') row.status = 'held';
    else this.#domains.wait(Object.assign(row, { status: 'waiting', kind: 'retry', dueAt: next.at, setAt: now }));
  }

  giveBack(entries: readonly ClaimedEntry[]): Promise<void> {
    for (const { key, token } of entries) {
      const row = this.#rows.get(key);
      if (row?.token === token && row.status === 'in-flight') this.#putBack(row);
    }
    return Promise.resolve();
  }

  renew({ leaseUntil }: ClaimBy, entries: readonly ClaimedEntry[]): Promise<number[]> {
    return Promise.resolve(
      entries.flatMap(({ key, token }) => {
        const row = this.#rows.get(key);
        if (row?.token !== token || row.status !== 'in-flight') return [key];
        row.leaseUntil = leaseUntil;
        return [];
      }),
    );
  }

  freeClaims(now: number): Promise<{ readonly dead: number; readonly silent: number }> {
    let silent = 0;
    for (const row of this.#rows.all()) {
      if (row.status !== 'in-flight' || row.leaseUntil > now) continue;
      this.#putBack(row);
      silent++;
    }
    return Promise.resolve({ dead: 0, silent });
  }

  #putBack(row: StoredEntry): void {
    row.status = row.entry.recipients.every(({ held }) => held) ? 'held' : 'waiting';
    this.#rows.fence(row);
    if (row.status === 'waiting') this.#domains.wait(row);
  }

  nextDueAt(shares: DomainShares): Promise<number | undefined> {
    return Promise.resolve(this.#domains.nextDueAt((domain) => shares.hasRoom(domain)));
  }

  newest(): Promise<number> {
    return Promise.resolve(this.#rows.newest());
  }

  alter(alteration: Alteration, window: Window): Promise<Altered> {
    const act = (row: StoredEntry): boolean => this.#alterOne(alteration, row, window.now);
    return Promise.resolve(alterWindow(this.#rows.all(), window, act));
  }

  #alterOne(alteration: Alteration, row: StoredEntry, now: number): boolean {
    switch (alteration.do) {
      case 'remove':
        row.domain.counts.removed += row.entry.recipients.length;
        this.#rows.end(row, now);
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
    return Promise.resolve(showWindow(this.#rows.all(), window));
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
    this.#rows.forgetNames(now);
    // Whatever was set at a later time than now was set before the clock was set back.
    for (const row of this.#rows.all()) {
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

async function bytesOf(body: Message, limit: number): Promise<Uint8Array> {
  const whole = onePiece(body, limit);
  if (whole) return whole;
  const parts: Uint8Array[] = [];
  for await (const piece of pieces(body, limit)) parts.push(piece);
  return Buffer.concat(parts);
}
