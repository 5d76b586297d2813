/**
 * The queue as operators see and change it, a window at a time, in the order of arrival.
 */
import type { EntryStatus, QueueFilter, ShownEntry } from '../delivery-queue.js';
import { noCounts } from '../domain-tally.js';
import { readEntry, type QueueEntry } from '../queue-entry.js';
import type { Alteration, Altered, Window } from '../queue-store.js';
import type { SqliteBodies } from './sqlite-bodies.js';
import type { SqlValue, Statements } from './sqlite-database.js';
import type { SqliteDomains } from './sqlite-domains.js';
import { shownRecipients } from '../which-mail.js';

export interface WindowRow {
  readonly seq: number;
  readonly message: number;
  readonly domain: string;
  readonly kind: number;
  readonly state: number;
  readonly due_at: number;
  readonly recipients: number;
  readonly held: number;
  readonly data: string;
  readonly id: string;
  readonly sender: string;
  readonly arrival_at: number;
  readonly size: number;
}

const STATE: Readonly<Record<EntryStatus, number>> = { waiting: 0, 'in-flight': 1, held: 2 };
const STATUS: readonly EntryStatus[] = ['waiting', 'in-flight', 'held'];

export class SqliteWindows {
  readonly #sql: Statements;
  readonly #domains: SqliteDomains;
  readonly #bodies: SqliteBodies;

  constructor(sql: Statements, domains: SqliteDomains, bodies: SqliteBodies) {
    this.#sql = sql;
    this.#domains = domains;
    this.#bodies = bodies;
  }

  /** Rows that fit, of the `limit` rows behind `after`; `next` unless these were the last. */
  rows({ filter, now, after, upTo = Number.MAX_SAFE_INTEGER, limit }: Window): {
    readonly rows: readonly WindowRow[];
    readonly next?: number;
  } {
    // One message is found by its name; everything else by going through all, so much at a time.
    const last = filter.id === undefined ? this.#endOf(after, limit) : undefined;
    const { where, values } = conditions(filter, now);
    const rows = this.#sql.all<WindowRow>(
      `SELECT e.seq, e.message, e.domain, e.kind, e.state, e.due_at, e.recipients, e.held, e.data,
         m.id, m.sender, m.arrival_at, m.size
       FROM smtp_routes_entry e JOIN smtp_routes_message m ON m.seq = e.message
       WHERE e.seq > ? AND e.seq <= ? AND e.state <> 3 ${where} ORDER BY e.seq`,
      after,
      Math.min(last ?? upTo, upTo),
      ...values,
    );
    return last === undefined || last >= upTo ? { rows } : { rows, next: last };
  }

  newest(): number {
    return this.#sql.get<{ seq: number | null }>('SELECT max(seq) AS seq FROM smtp_routes_entry')?.seq ?? 0;
  }

  #endOf(after: number, limit: number): number | undefined {
    return this.#sql.get<{ seq: number }>(
      'SELECT seq FROM smtp_routes_entry WHERE seq > ? ORDER BY seq LIMIT 1 OFFSET ?',
      after,
      limit - 1,
    )?.seq;
  }

  /** At most `limit` entries, of the next `search` rows. */
  show(window: Window, search: number): { readonly entries: readonly ShownEntry[]; readonly next?: number } {
    const { rows, next } = this.rows({ ...window, limit: search });
    const page = rows.slice(0, window.limit);
    const entries = page.flatMap((row) => {
      const entry = readable(row.data);
      return entry ? [shown(row, entry)] : [];
    });
    const behind = page.length < rows.length ? page.at(-1)?.seq : next;
    return behind === undefined ? { entries } : { entries, next: behind };
  }

  /** Within a transaction. */
  alter(alteration: Alteration, window: Window): Altered {
    const { rows, next } = this.rows(window);
    const altered = { entries: 0, recipients: 0, inFlight: 0 };
    for (const row of rows) {
      if (row.state === 1) altered.inFlight++;
      else if (this.#alterOne(alteration, row, window.now)) {
        altered.entries++;
        altered.recipients += row.recipients;
        this.#domains.touch(row.domain);
      }
    }
    return next === undefined ? altered : { ...altered, next };
  }

  #alterOne(alteration: Alteration, row: WindowRow, now: number): boolean {
    switch (alteration.do) {
      case 'remove':
        this.#domains.count(row.domain, { ...noCounts(), removed: row.recipients });
        this.deleteEntry(row.seq, row.message, row.domain, row.recipients, now);
        return true;
      case 'make-due':
        if (row.state !== 0) return false;
        if (row.due_at > now) this.#makeDue(row, now);
        return true;
      case 'release': {
        const entry = row.held > 0 ? readable(row.data) : undefined;
        if (!entry) return false;
        const recipients = entry.recipients.map(({ held: _, ...rest }) => rest);
        this.#sql.run(
          'UPDATE smtp_routes_entry SET state = 0, kind = 1, held = 0, due_at = ?, set_at = ?, data = ? WHERE seq = ?',
          now,
          now,
          JSON.stringify({ ...entry, recipients }),
          row.seq,
        );
        return true;
      }
      case 'redirect': {
        const entry = readable(row.data);
        if (!entry) return false;
        const { via: _, ...rest } = entry;
        const data = JSON.stringify(alteration.via ? { ...rest, via: alteration.via } : rest);
        this.#sql.run('UPDATE smtp_routes_entry SET data = ? WHERE seq = ?', data, row.seq);
        return true;
      }
    }
  }

  #makeDue({ seq, kind }: WindowRow, now: number): void {
    const due = 'UPDATE smtp_routes_entry SET due_at = ?, set_at = ?';
    if (kind === 0) this.#sql.run(`${due} WHERE seq = ?`, now, now, seq);
    else {
      const schedule = "data = json_set(data, '$.scheduledAt', ifnull(json_extract(data, '$.scheduledAt'), due_at))";
      this.#sql.run(`${due}, kind = 2, ${schedule} WHERE seq = ?`, now, now, seq);
    }
  }

  /** Within a transaction. Answers whether it was the last of its message, which is then gone too. */
  deleteEntry(seq: number, message: number, domain: string, recipients: number, now: number): boolean {
    this.#sql.run('DELETE FROM smtp_routes_entry WHERE seq = ?', seq);
    this.#domains.touch(domain, -recipients);
    if (this.#sql.get('SELECT 1 FROM smtp_routes_entry WHERE message = ? LIMIT 1', message)) return false;
    this.#bodies.end(message, now);
    return true;
  }

  /** Within a transaction: a window of what was put off at a time that is still to come, before the clock was set back. */
  mend(now: number, after: number, limit: number): number | undefined {
    const last = this.#endOf(after, limit);
    const rows = this.#sql.all<{ domain: string }>(
      `UPDATE smtp_routes_entry SET due_at = due_at - (set_at - ?), set_at = ?
       WHERE seq > ? AND seq <= ? AND state = 0 AND set_at > ? RETURNING domain`,
      now,
      now,
      after,
      last ?? Number.MAX_SAFE_INTEGER,
      now,
    );
    for (const { domain } of rows) this.#domains.touch(domain);
    return last;
  }
}

function conditions(filter: QueueFilter, now: number): { where: string; values: SqlValue[] } {
  const { id, domain, from, olderThanMs, status } = filter;
  const given: [string, SqlValue | undefined][] = [
    ['AND e.message = (SELECT seq FROM smtp_routes_message WHERE id = ?)', id],
    ['AND e.domain = ?', domain],
    ['AND m.sender = ?', from],
    ['AND m.arrival_at < ?', olderThanMs === undefined ? undefined : now - olderThanMs],
    ['AND e.state = ?', status === undefined ? undefined : STATE[status]],
  ];
  const used = given.filter((one): one is [string, SqlValue] => one[1] !== undefined);
  return { where: used.map(([sql]) => sql).join(' '), values: used.map(([, value]) => value) };
}

/** What is damaged, or of a newer version, is not shown. */
function readable(data: string): QueueEntry | undefined {
  try {
    return readEntry(data);
  } catch {
    return undefined;
  }
}

function shown(row: WindowRow, entry: QueueEntry): ShownEntry {
  const status = STATUS[row.state] ?? 'waiting';
  return {
    id: row.id,
    domain: row.domain,
    from: row.sender,
    size: row.size,
    arrivalAt: row.arrival_at,
    status,
    retries: entry.retries,
    ...(status !== 'held' && { nextAttemptAt: row.due_at }),
    ...(entry.via && { via: entry.via }),
    recipients: shownRecipients(entry),
  };
}
