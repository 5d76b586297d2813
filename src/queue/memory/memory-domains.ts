/**
 * The recipient domains of the queue in memory: what waits for each, in which order, and what is
 * known of it.
 */
import type { Failure } from '../../core/failure.js';
import type { EntryStatus, HostStatus, QueueCounters, Suspension, TopHostsOptions } from '../delivery-queue.js';
import { addCounts, countsOf, noCounts, shownCounters, type Counts } from '../domain-tally.js';
import { DueHeap } from './due-heap.js';
import type { QueueEntry, QueuedMessage } from '../queue-entry.js';
import type { EntryResult } from '../queue-store.js';
import { FIRST_WAKE, nextWake } from '../wake-up.js';

export interface StoredMessage {
  readonly message: QueuedMessage;
  readonly body: Uint8Array;
  readonly named: boolean;
  readonly entries: Set<StoredEntry>;
}

export interface StoredEntry {
  readonly key: number;
  readonly message: StoredMessage;
  readonly domain: StoredDomain;
  entry: QueueEntry;
  status: EntryStatus;
  /** `woken`: due before its time; once between two scheduled attempts. */
  kind: 'new' | 'retry' | 'woken';
  dueAt: number;
  /** When `dueAt` was set. */
  setAt: number;
  token: number;
  holder: string;
  leaseUntil: number;
}

export interface StoredDomain {
  readonly name: string;
  readonly entries: Set<StoredEntry>;
  readonly fresh: DueHeap<StoredEntry>;
  readonly retries: DueHeap<StoredEntry>;
  readonly counts: Counts;
  suspended: boolean;
  wakeSize: number;
  state: HostStatus['state'];
  lastAttemptAt?: number;
  lastFailure?: Failure;
}

export class MemoryDomains {
  readonly #domains = new Map<string, StoredDomain>();
  #suspended = false;

  of(name: string): StoredDomain {
    let domain = this.#domains.get(name);
    if (!domain) {
      domain = newDomain(name);
      this.#domains.set(name, domain);
    }
    return domain;
  }

  isFree({ suspended }: StoredDomain): boolean {
    return !this.#suspended && !suspended;
  }

  wait(row: StoredEntry): void {
    (row.kind === 'new' ? row.domain.fresh : row.domain.retries).add(row);
  }

  makeDue(row: StoredEntry, now: number): void {
    const { scheduledAt = row.dueAt } = row.entry;
    if (row.kind !== 'new') {
      row.entry = { ...row.entry, scheduledAt };
      row.kind = 'woken';
    }
    row.dueAt = now;
    row.setAt = now;
    this.wait(row);
  }

  /** The entry due first, of the preferred kind if there is one. */
  firstDue(
    prefer: 'new' | 'retry',
    dueBy: Readonly<Record<'new' | 'retry', number>>,
    hasRoom: (domain: string) => boolean,
  ): StoredEntry | undefined {
    const other = prefer === 'new' ? 'retry' : 'new';
    return this.#first(prefer, dueBy[prefer], hasRoom) ?? this.#first(other, dueBy[other], hasRoom);
  }

  #first(kind: 'new' | 'retry', dueBy: number, hasRoom: (domain: string) => boolean): StoredEntry | undefined {
    let best: StoredEntry | undefined;
    if (this.#suspended) return best;
    for (const domain of this.#domains.values()) {
      if (domain.suspended || domain.entries.size === 0 || !hasRoom(domain.name)) continue;
      const row = (kind === 'new' ? domain.fresh : domain.retries).first();
      if (row && row.dueAt <= dueBy && (!best || row.dueAt < best.dueAt)) best = row;
    }
    return best;
  }

  nextDueAt(hasRoom: (domain: string) => boolean): number | undefined {
    const fresh = this.#first('new', Infinity, hasRoom)?.dueAt ?? Infinity;
    const next = Math.min(fresh, this.#first('retry', Infinity, hasRoom)?.dueAt ?? Infinity);
    return next === Infinity ? undefined : next;
  }

  record(domain: StoredDomain, { tally, state, failure }: EntryResult, now: number): void {
    addCounts(domain.counts, countsOf(tally));
    if (tally.softBounces > 0) domain.wakeSize = FIRST_WAKE;
    if (!state) return;
    domain.state = state;
    domain.lastAttemptAt = now;
    if (failure) domain.lastFailure = failure;
  }

  /** Answers how many entries a success has made due. */
  wake(domain: StoredDomain, before: number, now: number): number {
    if ((domain.retries.first()?.dueAt ?? Infinity) <= now) return 0;
    const waiting = [...domain.entries].filter(
      ({ status, kind, setAt }) => status === 'waiting' && kind === 'retry' && setAt < before,
    );
    const woken = waiting.sort((a, b) => a.dueAt - b.dueAt || a.key - b.key).slice(0, domain.wakeSize);
    for (const row of woken) this.makeDue(row, now);
    if (woken.length > 0) domain.wakeSize = nextWake(domain.wakeSize);
    return woken.length;
  }

  suspend(name: string | undefined, suspended: boolean): Suspension {
    if (name === undefined) {
      const changed = this.#suspended !== suspended;
      this.#suspended = suspended;
      return { suspended, changed };
    }
    const domain = this.of(name);
    const changed = domain.suspended !== suspended;
    domain.suspended = suspended;
    return { domain: name, suspended, changed };
  }

  status(name: string): HostStatus {
    return statusOf(this.#domains.get(name) ?? newDomain(name));
  }

  top({ by, limit }: Required<TopHostsOptions>): HostStatus[] {
    const all = [...this.#domains.values()].map(statusOf);
    const value = (status: HostStatus): number =>
      by === 'hardBounces' ? Object.values(status.hardBounces).reduce((sum, one) => sum + one, 0) : status[by];
    const shown = all.filter((status) => value(status) > 0);
    return shown.sort((a, b) => value(b) - value(a) || (a.domain < b.domain ? -1 : 1)).slice(0, limit);
  }

  sum(): QueueCounters {
    const counts = noCounts();
    const now = { active: 0, inFlight: 0, held: 0 };
    for (const domain of this.#domains.values()) {
      addCounts(counts, domain.counts);
      const { active, inFlight, held } = standing(domain);
      now.active += active;
      now.inFlight += inFlight;
      now.held += held;
    }
    return { ...shownCounters(counts), ...now, suspended: this.#suspended };
  }
}

function newDomain(name: string): StoredDomain {
  const isHere = ({ status }: StoredEntry): boolean => status === 'waiting';
  return {
    name,
    entries: new Set(),
    fresh: new DueHeap((row: StoredEntry) => isHere(row) && row.kind === 'new'),
    retries: new DueHeap((row: StoredEntry) => isHere(row) && row.kind !== 'new'),
    counts: noCounts(),
    suspended: false,
    wakeSize: FIRST_WAKE,
    state: 'unknown',
  };
}

function standing({ entries }: StoredDomain): { active: number; inFlight: number; held: number } {
  const sum = { active: 0, inFlight: 0, held: 0 };
  for (const { entry, status } of entries) {
    sum.active += entry.recipients.length;
    if (status === 'in-flight') sum.inFlight += entry.recipients.length;
    else sum.held += entry.recipients.filter(({ held }) => held).length;
  }
  return sum;
}

function statusOf(domain: StoredDomain): HostStatus {
  const { name, entries, counts, state, suspended, lastAttemptAt, lastFailure } = domain;
  const dues = [domain.fresh.first()?.dueAt, domain.retries.first()?.dueAt].flatMap((at) => at ?? []);
  const oldest = oldestWaiting(entries);
  return {
    domain: name,
    state,
    suspended,
    ...standing(domain),
    ...shownCounters(counts),
    ...(oldest && { oldestAt: oldest.message.message.arrivalAt }),
    ...(dues.length > 0 && { nextAttemptAt: Math.min(...dues) }),
    ...(lastAttemptAt !== undefined && { lastAttemptAt }),
    ...(lastFailure && { lastFailure }),
  };
}

/** They are in the order of arrival. */
function oldestWaiting(entries: Iterable<StoredEntry>): StoredEntry | undefined {
  for (const entry of entries) if (entry.status === 'waiting') return entry;
  return undefined;
}
