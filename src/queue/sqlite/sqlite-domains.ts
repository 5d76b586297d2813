/**
 * The rows of domains: when the first entry of each is due, and its counters. Changes are gathered
 * and written once a commit, or before somebody needs to read them.
 */
import type { Suspension } from '../delivery-queue.js';
import { addCounts, noCounts, type Counts } from '../domain-tally.js';
import type { EntryResult } from '../queue-store.js';
import type { Statements } from './sqlite-database.js';
import { FIRST_WAKE, nextWake } from '../wake-up.js';

interface Changes {
  active: number;
  readonly counts: Counts;
  /** The last attempt, if there was one. */
  attempt?: { readonly state: 'up' | 'down'; readonly at: number; readonly failure: string | null };
  deferred: boolean;
}

const ADD = `active = active + ?, delivered = delivered + ?, soft_bounces = soft_bounces + ?, dns = dns + ?,
  refused = refused + ?, expired = expired + ?, other = other + ?, discarded = discarded + ?, removed = removed + ?`;

export class SqliteDomains {
  readonly #sql: Statements;
  readonly #changed = new Map<string, Changes>();
  /** Domains whose waiting mail was made due since the rows were written. */
  readonly #woken = new Set<string>();

  constructor(sql: Statements) {
    this.#sql = sql;
  }

  /** What waits for the domain, or how much is in the queue for it, has changed. */
  touch(domain: string, active = 0): Changes {
    let changes = this.#changed.get(domain);
    if (!changes) {
      changes = { active: 0, counts: noCounts(), deferred: false };
      this.#changed.set(domain, changes);
    }
    changes.active += active;
    return changes;
  }

  count(domain: string, counts: Counts): void {
    addCounts(this.touch(domain).counts, counts);
  }

  record({ domain, tally, state, failure }: EntryResult, counts: Counts, at: number): void {
    const changes = this.touch(domain);
    addCounts(changes.counts, counts);
    changes.deferred ||= tally.softBounces > 0;
    if (state) changes.attempt = { state, at, failure: failure ? JSON.stringify(failure) : null };
  }

  forget(): void {
    this.#changed.clear();
    this.#woken.clear();
  }

  /** Writes what has changed. */
  flush(): void {
    if (this.#changed.size === 0) return;
    const sum = { active: 0, counts: noCounts() };
    for (const [name, changes] of this.#changed) {
      const { active, counts, attempt, deferred } = changes;
      sum.active += active;
      addCounts(sum.counts, counts);
      const values = [
        ...valuesOf(active, counts),
        name,
        name,
        name,
        deferred ? FIRST_WAKE : null,
        attempt?.state ?? null,
        attempt?.at ?? null,
        attempt?.failure ?? null,
        name,
      ];
      if (this.#sql.run(UPDATE, ...values) > 0) continue;
      this.#sql.run('INSERT INTO smtp_routes_domain (name) VALUES (?)', name);
      this.#sql.run(UPDATE, ...values);
    }
    this.#sql.run(`UPDATE smtp_routes_total SET ${ADD}`, ...valuesOf(sum.active, sum.counts));
    this.forget();
  }

  isSuspended(domain?: string): boolean {
    const sql =
      domain === undefined
        ? 'SELECT suspended FROM smtp_routes_total'
        : 'SELECT suspended FROM smtp_routes_domain WHERE name = ?';
    return this.#sql.get<{ suspended: number }>(sql, ...(domain === undefined ? [] : [domain]))?.suspended === 1;
  }

  /** When the clock was looked at last, by any process, in milliseconds since the epoch. */
  lastSeenAt(): number {
    return this.#sql.get<{ seen_at: number }>('SELECT seen_at FROM smtp_routes_total')?.seen_at ?? 0;
  }

  seenAt(now: number): void {
    this.#sql.run('UPDATE smtp_routes_total SET seen_at = ?', now);
  }

  /** The domain whose first entry of a kind is due first, of those free to go. Not everything suspended: ask before. */
  firstDue(kind: 'new' | 'retry', dueBy: number, full: string): string | undefined {
    const due = kind === 'new' ? 'due_new' : 'due_retry';
    return this.#sql.get<{ name: string }>(
      `SELECT name FROM smtp_routes_domain WHERE suspended = 0 AND ${due} IS NOT NULL AND ${due} <= ?
       AND name NOT IN (SELECT value FROM json_each(?)) ORDER BY ${due} LIMIT 1`,
      dueBy,
      full,
    )?.name;
  }

  nextDueAt(full: string): number | undefined {
    const least = (due: string): number | undefined =>
      this.#sql.get<{ at: number }>(
        `SELECT ${due} AS at FROM smtp_routes_domain WHERE suspended = 0 AND ${due} IS NOT NULL
         AND name NOT IN (SELECT value FROM json_each(?)) ORDER BY ${due} LIMIT 1`,
        full,
      )?.at;
    if (this.isSuspended()) return undefined;
    const next = Math.min(least('due_new') ?? Infinity, least('due_retry') ?? Infinity);
    return next === Infinity ? undefined : next;
  }

  /** Makes due what waits for a retry and was put off before a success. Answers how many entries. */
  wake(domain: string, before: number, now: number): number {
    // Else the row is as true as it must be: what was put off meanwhile came after this success.
    if (this.#woken.has(domain)) this.flush();
    const row = this.#sql.get<{ wake_size: number; due_retry: number | null }>(
      'SELECT wake_size, due_retry FROM smtp_routes_domain WHERE name = ?',
      domain,
    );
    if (!row || row.due_retry === null || row.due_retry <= now) return 0;
    const woken = this.#sql.run(
      `UPDATE smtp_routes_entry SET kind = 2, due_at = ?, set_at = ?, data = json_set(data, '$.scheduledAt', due_at)
       WHERE seq IN (SELECT seq FROM smtp_routes_entry
         WHERE state = 0 AND domain = ? AND kind = 1 AND set_at < ? ORDER BY due_at LIMIT ?)`,
      now,
      now,
      domain,
      before,
      row.wake_size,
    );
    if (woken > 0) {
      this.#sql.run('UPDATE smtp_routes_domain SET wake_size = ? WHERE name = ?', nextWake(row.wake_size), domain);
      this.touch(domain);
      this.#woken.add(domain);
    }
    return woken;
  }

  suspend(domain: string | undefined, suspended: boolean): Suspension {
    const value = suspended ? 1 : 0;
    if (domain === undefined) {
      const changed =
        this.#sql.run('UPDATE smtp_routes_total SET suspended = ? WHERE suspended <> ?', value, value) > 0;
      return { suspended, changed };
    }
    this.#sql.run('INSERT INTO smtp_routes_domain (name) VALUES (?) ON CONFLICT DO NOTHING', domain);
    const sql = 'UPDATE smtp_routes_domain SET suspended = ? WHERE name = ? AND suspended <> ?';
    return { domain, suspended, changed: this.#sql.run(sql, value, domain, value) > 0 };
  }
}

const UPDATE = `UPDATE smtp_routes_domain SET ${ADD}, due_new = (${firstDue('0')}),
  due_retry = nullif(min(ifnull((${firstDue('1')}), 9e15), ifnull((${firstDue('2')}), 9e15)), 9e15),
  wake_size = ifnull(?, wake_size), state = ifnull(?, state), last_attempt_at = ifnull(?, last_attempt_at),
  last_failure = ifnull(?, last_failure) WHERE name = ?`;

function firstDue(kind: '0' | '1' | '2'): string {
  return `SELECT due_at FROM smtp_routes_entry WHERE state = 0 AND domain = ? AND kind = ${kind} ORDER BY due_at LIMIT 1`;
}

function valuesOf(active: number, counts: Counts): number[] {
  const { delivered, softBounces, dns, refused, expired, other, discarded, removed } = counts;
  return [active, delivered, softBounces, dns, refused, expired, other, discarded, removed];
}
