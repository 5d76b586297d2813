/**
 * The store in SQLite: messages and entries as rows, several processes on one file.
 */
import type { HostStatus, QueueCounters, ShownEntry, Suspension, TopHostsOptions } from '../delivery-queue.js';
import type { DomainShares } from '../domain-shares.js';
import { GroupCommit } from './group-commit.js';
import {
  isLate,
  type Alteration,
  type Altered,
  type Claim,
  type ClaimBy,
  type ClaimedEntry,
  type ClaimRequest,
  type NewMail,
  type Put,
  type QueueStore,
  type SetAside,
  type Settled,
  type Settlement,
  type Window,
} from '../queue-store.js';
import { sizeOf, SqliteBodies, type Body } from './sqlite-bodies.js';
import { SqliteClaims } from './sqlite-claims.js';
import { Statements, storageError, type SqliteDatabase } from './sqlite-database.js';
import { SqliteDomains } from './sqlite-domains.js';
import { SqliteHostStatus } from './sqlite-host-status.js';
import { SqliteResults } from './sqlite-results.js';
import { openSchema } from './sqlite-schema.js';
import { SqliteWindows } from './sqlite-windows.js';
import { waitForLock } from './wait-for-lock.js';

export interface SqliteStoreOptions {
  readonly database: SqliteDatabase;
  readonly maxMessageBytes: number;
  readonly lockTimeoutMs: number;
  /** Names this process for what it has begun to store. */
  readonly holder: string;
}

/** Rows a step of a search goes through. */
const SEARCH_WINDOW = 1000;

export class SqliteStore implements QueueStore {
  readonly #sql: Statements;
  readonly #commits: GroupCommit;
  readonly #domains: SqliteDomains;
  readonly #bodies: SqliteBodies;
  readonly #claims: SqliteClaims;
  readonly #windows: SqliteWindows;
  readonly #results: SqliteResults;
  readonly #hosts: SqliteHostStatus;
  readonly #holder: string;
  readonly #lockTimeoutMs: number;
  onSetAside?: (what: SetAside) => void;

  /** @throws {QueueStorageError} if the tables are newer than this package, or cannot be made */
  constructor({ database, maxMessageBytes, lockTimeoutMs, holder }: SqliteStoreOptions) {
    openSchema(database);
    this.#holder = holder;
    this.#lockTimeoutMs = lockTimeoutMs;
    this.#sql = new Statements(database);
    this.#domains = new SqliteDomains(this.#sql);
    this.#commits = new GroupCommit({
      database,
      lockTimeoutMs,
      beforeCommit: () => this.#domains.flush(),
      onRollback: () => this.#domains.forget(),
    });
    this.#bodies = new SqliteBodies(this.#sql, this.#commits, maxMessageBytes);
    this.#claims = new SqliteClaims(this.#sql, this.#domains, this.#bodies, (what) => this.onSetAside?.(what));
    this.#windows = new SqliteWindows(this.#sql, this.#domains, this.#bodies);
    this.#hosts = new SqliteHostStatus(this.#sql);
    this.#results = new SqliteResults(this.#sql, this.#domains, this.#windows);
  }

  async put(mail: NewMail, claim: { readonly by: ClaimBy; readonly now: number } | undefined): Promise<Put> {
    const body = await this.#bodies.take(mail.body, this.#holder);
    try {
      const put = await this.#commits.run(() => this.#put(mail, body, claim), sizeOf(body));
      if (put.known && 'storedAs' in body) await this.#bodies.drop(body.storedAs);
      return put;
    } catch (error) {
      if ('storedAs' in body) await this.#bodies.drop(body.storedAs);
      throw error;
    }
  }

  #put(
    { message, entries, named }: NewMail,
    body: Body,
    claim: { readonly by: ClaimBy; readonly now: number } | undefined,
  ): Put {
    const size = sizeOf(body);
    const row = this.#bodies.insert(message, named, body);
    if (row === undefined) return { known: true, size, claimed: [] };
    const mayClaim = claim !== undefined && !this.#domains.isSuspended();
    const claimed = entries.flatMap((entry): ClaimedEntry[] => {
      const { domain, recipients } = entry;
      const by = mayClaim && !this.#domains.isSuspended(domain) ? claim.by : undefined;
      const key = this.#sql.insert(
        `INSERT INTO smtp_routes_entry (message, domain, kind, state, due_at, set_at, recipients, held, token, holder, lease_until, data)
         VALUES (?, ?, 0, ?, ?, ?, ?, 0, 1, ?, ?, ?)`,
        row,
        domain,
        by ? 1 : 0,
        message.arrivalAt,
        message.arrivalAt,
        recipients.length,
        by?.holder ?? null,
        by?.leaseUntil ?? null,
        JSON.stringify(entry),
      );
      this.#domains.touch(domain, recipients.length);
      return by ? [{ key, token: 1, entry }] : [];
    });
    return { known: false, size, claimed, body: this.#bodies.opened(row, body) };
  }

  claim(request: ClaimRequest): Promise<Claim[]> {
    return this.#commits.run(() => {
      this.#domains.flush();
      return this.#claims.claimDue(request);
    });
  }

  claimMatching(by: ClaimBy, window: Window): Promise<Altered & { readonly claims: readonly Claim[] }> {
    return this.#commits.run(() => {
      const { rows, next } = this.#windows.rows(window);
      const byMessage = new Map<number, number[]>();
      const altered = { entries: 0, recipients: 0, inFlight: 0 };
      for (const { seq, message, state, recipients } of rows) {
        if (state === 1) {
          altered.inFlight++;
          continue;
        }
        altered.entries++;
        altered.recipients += recipients;
        byMessage.set(message, [...(byMessage.get(message) ?? []), seq]);
      }
      const claims = [...byMessage].flatMap(
        ([message, seqs]) => this.#claims.claimTogether(message, seqs, by, window.now) ?? [],
      );
      return { ...altered, ...(next !== undefined && { next }), claims };
    });
  }

  async settle(settlement: Settlement): Promise<Settled> {
    const bodies: Body[] = [];
    let isStored = false;
    try {
      for (const { body } of settlement.mail) bodies.push(await this.#bodies.take(body, this.#holder));
      const store = (): void => {
        settlement.mail.forEach((one, i) => this.#put(one, bodies[i] ?? { bytes: new Uint8Array() }, undefined));
      };
      const weight = bodies.reduce((sum, body) => sum + sizeOf(body), 0);
      const settled = await this.#commits.run(() => this.#results.settle(settlement, store), weight);
      isStored = !isLate(settlement, settled.lost);
      return settled;
    } finally {
      for (const body of bodies) if (!isStored && 'storedAs' in body) await this.#bodies.drop(body.storedAs);
    }
  }

  giveBack(entries: readonly ClaimedEntry[]): Promise<void> {
    return this.#commits.run(() => this.#claims.giveBack(entries));
  }

  renew(by: ClaimBy, entries: readonly ClaimedEntry[]): Promise<number[]> {
    return this.#commits.run(() => this.#claims.renew(by, entries));
  }

  freeClaims(
    now: number,
    isDead: (holder: string) => boolean,
  ): Promise<{ readonly dead: number; readonly silent: number }> {
    return this.#commits.run(() => {
      this.#bodies.sweep(isDead);
      return this.#claims.free(now, isDead);
    });
  }

  nextDueAt(shares: DomainShares): Promise<number | undefined> {
    return this.#read(() => this.#domains.nextDueAt(JSON.stringify(shares.full())));
  }

  newest(): Promise<number> {
    return this.#read(() => this.#windows.newest());
  }

  alter(alteration: Alteration, window: Window): Promise<Altered> {
    return this.#commits.run(() => this.#windows.alter(alteration, window));
  }

  show(window: Window): Promise<{ readonly entries: readonly ShownEntry[]; readonly next?: number }> {
    const { limit, filter } = window;
    const sparse = Object.values(filter).some((value) => value !== undefined);
    return this.#read(() => this.#windows.show(window, sparse ? Math.max(limit, SEARCH_WINDOW) : limit));
  }

  suspend(domain: string | undefined, suspended: boolean): Promise<Suspension> {
    return this.#commits.run(() => this.#domains.suspend(domain, suspended));
  }

  hostStatus(domain: string): Promise<HostStatus> {
    return this.#read(() => this.#hosts.status(domain));
  }

  topHosts(options: Required<TopHostsOptions>): Promise<HostStatus[]> {
    return this.#read(() => this.#hosts.top(options));
  }

  counters(): Promise<QueueCounters> {
    return this.#read(() => this.#hosts.counters());
  }

  async tidy(now: number): Promise<void> {
    const clockWasSetBack = await this.#commits.run(() => {
      this.#bodies.forgetNames(now);
      return now < this.#domains.lastSeenAt();
    });
    if (clockWasSetBack) await this.#mend(now);
    await this.#commits.run(() => this.#domains.seenAt(now));
  }

  async #mend(now: number): Promise<void> {
    for (let after: number | undefined = 0; after !== undefined;) {
      const from: number = after;
      after = await this.#commits.run(() => this.#windows.mend(now, from, SEARCH_WINDOW));
    }
  }

  async close(): Promise<void> {
    await this.#commits.settled();
  }

  /**
   * Reads between commits, in a turn of its own, so that a long search lets others go on. Readers meet
   * a lock where the log is put in order again after a process that was killed.
   */
  async #read<T>(read: () => T): Promise<T> {
    await new Promise((resolve) => setImmediate(resolve));
    try {
      return await waitForLock(read, this.#lockTimeoutMs);
    } catch (error) {
      throw storageError(error);
    }
  }
}
