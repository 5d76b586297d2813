/**
 * The rows of domains: when the first entry of each is due, and its counters. Changes are gathered
 * and written once a commit, or before somebody needs to read them.
 */
import type { HostStatus, QueueCounters, Suspension, TopHostsOptions } from './delivery-queue.js';
import { addCounts, noCounts, shownCounters, type Counts } from './domain-tally.js';
import type { EntryResult } from './queue-store.js';
import type { Statements } from './sqlite-database.js';
import { FIRST_WAKE, nextWake } from './wake-up.js';

interface Changes {
  active: number;
  readonly counts: Counts;
  /** The last attempt, if there was one. */
  attempt?: { readonly state: 'up' | 'down'; readonly at: number; readonly failure: string | null };
  deferred: boolean;
}

interface DomainRow {
  readonly name: string;
  readonly suspended: number;
  readonly due_new: number | null;
  readonly due_retry: number | null;
  readonly state: HostStatus['state'];
  readonly last_attempt_at: number | null;
  readonly last_failure: string | null;
}

type CountsRow = Omit<Counts, 'softBounces'> & { readonly soft_bounces: number; readonly active: number };

const ADD = `active = active + ?, delivered = delivered + ?, soft_bounces = soft_bounces + ?, dns = dns + ?,
  refused = refused + ?, expired = expired + ?, other = other + ?, discarded = discarded + ?, removed = removed + ?`;

export class SqliteDomains {
  readonly #sql: Statements;
  readonly #changed = new Map<string, Changes>();

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
  }

  /** Writes what has changed. */
  flush(): void {
    if (this.#changed.size === 0) return;
    const sum = { active: 0, counts: noCounts() };
    for (const [name, changes] of this.#changed) {
      const { active, counts, attempt, deferred } = changes;
      sum.active += active;
      addCounts(sum.counts, counts);
      this.#sql.run('INSERT INTO smtp_routes_domain (name) VALUES (?) ON CONFLICT DO NOTHING', name);
      this.#sql.run(
        `UPDATE smtp_routes_domain SET ${ADD}, due_new = (${firstDue('0')}), due_retry = min(ifnull((${firstDue('1')}), 9e15), ifnull((${firstDue('2')}), 9e15)) WHERE name = ?`,
        ...valuesOf(active, counts),
        name,
        name,
        name,
        name,
      );
      this.#sql.run('UPDATE smtp_routes_domain SET due_retry = NULL WHERE name = ? AND due_retry = 9e15', name);
      if (deferred) this.#sql.run('UPDATE smtp_routes_domain SET wake_size = ? WHERE name = ?', FIRST_WAKE, name);
      if (attempt) {
        this.#sql.run(
          'UPDATE smtp_routes_domain SET state = ?, last_attempt_at = ?, last_failure = ifnull(?, last_failure) WHERE name = ?',
          attempt.state,
          attempt.at,
          attempt.failure,
          name,
        );
      }
    }
    this.#sql.run(`UPDATE smtp_routes_total SET ${ADD}`, ...valuesOf(sum.active, sum.counts));
    this.#changed.clear();
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
    this.flush();
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

  status(domain: string): HostStatus {
    const row = this.#sql.get<DomainRow & CountsRow>('SELECT * FROM smtp_routes_domain WHERE name = ?', domain);
    if (!row)
      return {
        domain,
        state: 'unknown',
        suspended: false,
        ...shownCounters(noCounts()),
        active: 0,
        inFlight: 0,
        held: 0,
      };
    const oldest = this.#sql.get<{ at: number | null }>(
      `SELECT min(m.arrival_at) AS at FROM smtp_routes_entry e JOIN smtp_routes_message m ON m.seq = e.message
       WHERE e.seq IN (SELECT min(seq) FROM smtp_routes_entry WHERE state = 0 AND domain = ? GROUP BY kind)`,
      domain,
    );
    return this.#statusOf(row, oldest?.at ?? undefined);
  }

  top({ by, limit }: Required<TopHostsOptions>): HostStatus[] {
    const value = {
      active: 'active',
      inFlight: `(${inFlightOf('d.name')})`,
      delivered: 'delivered',
      softBounces: 'soft_bounces',
      hardBounces: '(dns + refused + expired + other)',
    }[by];
    const rows = this.#sql.all<DomainRow & CountsRow>(
      `SELECT * FROM smtp_routes_domain d WHERE ${value} > 0 ORDER BY ${value} DESC, name LIMIT ?`,
      limit,
    );
    return rows.map((row) => this.#statusOf(row));
  }

  #statusOf(row: DomainRow & CountsRow, oldestAt?: number): HostStatus {
    const { name, state, due_new, due_retry, last_attempt_at, last_failure } = row;
    const inFlight = this.#sql.get<{ n: number }>(`SELECT (${inFlightOf('?')}) AS n`, name)?.n ?? 0;
    const sql = 'SELECT ifnull(sum(held), 0) AS n FROM smtp_routes_entry WHERE held > 0 AND domain = ?';
    const nextAttemptAt = Math.min(due_new ?? Infinity, due_retry ?? Infinity);
    return {
      domain: name,
      state,
      suspended: row.suspended === 1,
      ...shownCounters({ ...row, softBounces: row.soft_bounces }),
      active: row.active,
      inFlight,
      held: this.#sql.get<{ n: number }>(sql, name)?.n ?? 0,
      ...(oldestAt !== undefined && { oldestAt }),
      ...(nextAttemptAt !== Infinity && { nextAttemptAt }),
      ...(last_attempt_at !== null && { lastAttemptAt: last_attempt_at }),
      ...(last_failure !== null && { lastFailure: JSON.parse(last_failure) as NonNullable<HostStatus['lastFailure']> }),
    };
  }

  counters(): QueueCounters {
    const row = this.#sql.get<CountsRow & { suspended: number }>('SELECT * FROM smtp_routes_total');
    if (!row) throw new Error('smtp_routes_total has no row');
    const sum = (sql: string): number => this.#sql.get<{ n: number }>(sql)?.n ?? 0;
    return {
      ...shownCounters({ ...row, softBounces: row.soft_bounces }),
      active: row.active,
      inFlight: sum('SELECT ifnull(sum(recipients), 0) AS n FROM smtp_routes_entry WHERE state = 1'),
      held: sum('SELECT ifnull(sum(held), 0) AS n FROM smtp_routes_entry WHERE held > 0'),
      suspended: row.suspended === 1,
    };
  }
}

function firstDue(kind: '0' | '1' | '2'): string {
  return `SELECT due_at FROM smtp_routes_entry WHERE state = 0 AND domain = ? AND kind = ${kind} ORDER BY due_at LIMIT 1`;
}

function inFlightOf(domain: string): string {
  return `SELECT ifnull(sum(recipients), 0) FROM smtp_routes_entry WHERE state = 1 AND domain = ${domain}`;
}

function valuesOf(active: number, counts: Counts): number[] {
  const { delivered, softBounces, dns, refused, expired, other, discarded, removed } = counts;
  return [active, delivered, softBounces, dns, refused, expired, other, discarded, removed];
}
