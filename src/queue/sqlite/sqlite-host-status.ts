/**
 * Domains as operators see them.
 */
import type { HostStatus, QueueCounters, TopHostsOptions } from '../delivery-queue.js';
import { noCounts, shownCounters, type Counts } from '../domain-tally.js';
import type { Statements } from './sqlite-database.js';

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

export class SqliteHostStatus {
  readonly #sql: Statements;

  constructor(sql: Statements) {
    this.#sql = sql;
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
    return this.#statusOf(row);
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

  #statusOf(row: DomainRow & CountsRow): HostStatus {
    const { name, state, due_new, due_retry, last_attempt_at, last_failure } = row;
    const oldestAt = this.#sql.get<{ at: number | null }>(
      `SELECT min(m.arrival_at) AS at FROM smtp_routes_entry e JOIN smtp_routes_message m ON m.seq = e.message
       WHERE e.seq IN (SELECT min(seq) FROM smtp_routes_entry WHERE state = 0 AND domain = ? GROUP BY kind)`,
      name,
    )?.at;
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
      ...(typeof oldestAt === 'number' && { oldestAt }),
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

function inFlightOf(domain: string): string {
  return `SELECT ifnull(sum(recipients), 0) FROM smtp_routes_entry WHERE state = 1 AND domain = ${domain}`;
}
