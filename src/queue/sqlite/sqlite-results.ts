/**
 * Results of attempts in the database: of whoever holds the claim, and of those who held it once.
 * Everything here runs within a transaction.
 */
import { countsOf, noCounts } from '../domain-tally.js';
import { readEntry, type QueueEntry } from '../queue-entry.js';
import { isLate, type EntryResult, type Settled, type Settlement } from '../queue-store.js';
import type { Statements } from './sqlite-database.js';
import type { SqliteDomains } from './sqlite-domains.js';
import type { SqliteWindows } from './sqlite-windows.js';

interface EntryRow {
  readonly message: number;
  readonly domain: string;
  readonly state: number;
  readonly token: number;
  readonly recipients: number;
}

export class SqliteResults {
  readonly #sql: Statements;
  readonly #domains: SqliteDomains;
  readonly #windows: SqliteWindows;

  constructor(sql: Statements, domains: SqliteDomains, windows: SqliteWindows) {
    this.#sql = sql;
    this.#domains = domains;
    this.#windows = windows;
  }

  /** @param store for the settlement's mail, where that is wanted */
  settle(settlement: Settlement, store: () => void): Settled {
    const { now, results } = settlement;
    const lost: number[] = [];
    let done = false;
    for (const result of results) {
      const settled = this.#settle(result, now);
      if (settled.isLost) lost.push(result.key);
      if (settled.isDone) done = true;
    }
    if (!isLate(settlement, lost)) store();
    const woken = results.flatMap(({ key, domain, wakeBefore }) => {
      if (wakeBefore === undefined || lost.includes(key)) return [];
      const entries = this.#domains.wake(domain, wakeBefore, now);
      return entries > 0 ? [{ domain, entries }] : [];
    });
    return { lost, done, woken };
  }

  /** @returns whether somebody else has the entry, and whether nothing is left of its message */
  #settle(result: EntryResult, now: number): { readonly isLost?: boolean; readonly isDone?: boolean } {
    const row = this.#sql.get<EntryRow>(
      'SELECT message, domain, state, token, recipients FROM smtp_routes_entry WHERE seq = ?',
      result.key,
    );
    if (row?.token !== result.token || row.state !== 1) {
      return { isLost: true, isDone: row !== undefined && this.#removeDelivered(result, row, now) };
    }
    this.#domains.record(result, countsOf(result.tally), now);
    const { next } = result;
    const entry = next.then === 'done' ? undefined : this.#stillOpen(result, row, next.entry);
    if (!entry || next.then === 'done') {
      return { isDone: this.#windows.deleteEntry(result.key, row.message, row.domain, row.recipients, now) };
    }
    const { recipients } = entry;
    this.#sql.run(
      `UPDATE smtp_routes_entry SET kind = 1, state = ?, due_at = ?, set_at = ?, recipients = ?, held = ?, holder = NULL, data = ?
       WHERE seq = ?`,
      next.then === 'held' ? 2 : 0,
      next.then === 'held' ? now : next.at,
      now,
      recipients.length,
      recipients.filter(({ held }) => held).length,
      JSON.stringify(entry),
      result.key,
    );
    this.#domains.touch(row.domain, recipients.length - row.recipients);
    return {};
  }

  /** A late result of somebody else may have removed some meanwhile. */
  #stillOpen({ key, had }: EntryResult, { recipients }: EntryRow, entry: QueueEntry): QueueEntry | undefined {
    if (recipients === had) return entry;
    const stored = this.#stored(key);
    const names = new Set(stored?.recipients.map(({ recipient }) => recipient));
    const left = entry.recipients.filter(({ recipient }) => names.has(recipient));
    return left.length > 0 ? { ...entry, recipients: left } : undefined;
  }

  /** What a late result says was delivered is never tried again, whoever has the entry now. Answers whether nothing is left of the message. */
  #removeDelivered({ key, gone }: EntryResult, row: EntryRow, now: number): boolean {
    const stored = this.#stored(key);
    if (!stored || row.state === 3) return false;
    const left = stored.recipients.filter(({ recipient }) => !gone.includes(recipient));
    const removed = stored.recipients.length - left.length;
    if (removed === 0) return false;
    this.#domains.count(row.domain, { ...noCounts(), delivered: removed });
    // Who has it in flight finds it gone, as it would a claim that was taken over.
    if (left.length === 0) return this.#windows.deleteEntry(key, row.message, row.domain, row.recipients, now);
    this.#sql.run(
      'UPDATE smtp_routes_entry SET recipients = ?, held = ?, data = ? WHERE seq = ?',
      left.length,
      left.filter(({ held }) => held).length,
      JSON.stringify({ ...stored, recipients: left }),
      key,
    );
    this.#domains.touch(row.domain, -removed);
    return false;
  }

  #stored(key: number): QueueEntry | undefined {
    return readEntry(this.#sql.get<{ data: string }>('SELECT data FROM smtp_routes_entry WHERE seq = ?', key)?.data);
  }
}
