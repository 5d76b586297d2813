/**
 * Claims in the database: what is due is taken, renewed, given back and freed. Everything here runs
 * within a transaction.
 */
import { NewerEntryError, readEntry, readMessage, type QueuedMessage } from '../queue-entry.js';
import type { Claim, ClaimBy, ClaimedEntry, ClaimRequest, SetAside } from '../queue-store.js';
import type { SqliteBodies } from './sqlite-bodies.js';
import type { Statements } from './sqlite-database.js';
import type { SqliteDomains } from './sqlite-domains.js';

interface ClaimedRow {
  readonly seq: number;
  readonly token: number;
  readonly domain: string;
  readonly recipients: number;
  readonly data: string;
}

interface MessageRow {
  readonly data: string;
  readonly body: Uint8Array | null;
}

/** How long what a newer version of this package wrote is left alone, before looking at it again. */
const NEWER_PAUSE_MS = 60_000;

export class SqliteClaims {
  readonly #sql: Statements;
  readonly #domains: SqliteDomains;
  readonly #bodies: SqliteBodies;
  readonly #onSetAside: (what: SetAside) => void;

  constructor(sql: Statements, domains: SqliteDomains, bodies: SqliteBodies, onSetAside: (what: SetAside) => void) {
    this.#sql = sql;
    this.#domains = domains;
    this.#bodies = bodies;
    this.#onSetAside = onSetAside;
  }

  claimDue({ by, now, dueBy, turns, shares }: ClaimRequest): Claim[] {
    const claims: Claim[] = [];
    if (this.#domains.isSuspended()) return claims;
    const taken = new Map<string, number>();
    const full = new Set(shares.full());
    const take = (domain: string): void => {
      const count = (taken.get(domain) ?? 0) + 1;
      taken.set(domain, count);
      if (!shares.hasRoom(domain, count)) full.add(domain);
    };
    for (const turn of turns()) {
      const due = this.#firstDue(turn, { new: now, retry: dueBy }, JSON.stringify([...full]));
      if (!due) break;
      const together = this.#sql
        .all<{ seq: number; domain: string }>(
          'SELECT seq, domain FROM smtp_routes_entry WHERE message = ? AND state = 0 AND (due_at <= ? OR seq = ?)',
          due.message,
          now,
          due.seq,
        )
        .filter(({ seq, domain }) => seq === due.seq || (!full.has(domain) && !this.#domains.isSuspended(domain)));
      for (const { domain } of together) take(domain);
      const claim = this.claimTogether(
        due.message,
        together.map(({ seq }) => seq),
        by,
        now,
      );
      this.#domains.flush();
      if (claim) claims.push(claim);
    }
    return claims;
  }

  #firstDue(
    prefer: 'new' | 'retry',
    dueBy: Readonly<Record<'new' | 'retry', number>>,
    full: string,
  ): { seq: number; message: number } | undefined {
    for (const kind of prefer === 'new' ? (['new', 'retry'] as const) : (['retry', 'new'] as const)) {
      const domain = this.#domains.firstDue(kind, dueBy[kind], full);
      if (domain === undefined) continue;
      const kinds = kind === 'new' ? [0] : [2, 1];
      for (const one of kinds) {
        const entry = this.#sql.get<{ seq: number; message: number }>(
          `SELECT seq, message FROM smtp_routes_entry WHERE state = 0 AND domain = ? AND kind = ? AND due_at <= ?
           ORDER BY due_at LIMIT 1`,
          domain,
          one,
          dueBy[kind],
        );
        if (entry) return entry;
      }
      // The domain's row promised more than there is: mended, and asked for again.
      this.#domains.touch(domain);
      this.#domains.flush();
      return this.#firstDue(prefer, dueBy, full);
    }
    return undefined;
  }

  /** Claims entries of one message. Undefined if what is stored cannot be read; that is set aside. */
  claimTogether(
    message: number,
    seqs: readonly number[],
    { holder, leaseUntil }: ClaimBy,
    now: number,
  ): Claim | undefined {
    const rows = seqs.flatMap((seq) => {
      const row = this.#sql.get<ClaimedRow>(
        `UPDATE smtp_routes_entry SET state = 1, token = token + 1, holder = ?, lease_until = ? WHERE seq = ?
         RETURNING seq, token, domain, recipients, data`,
        holder,
        leaseUntil,
        seq,
      );
      if (row) this.#domains.touch(row.domain);
      return row ? [row] : [];
    });
    const found = this.#sql.get<MessageRow>('SELECT data, body FROM smtp_routes_message WHERE seq = ?', message);
    let original: QueuedMessage | undefined;
    const entries = rows.flatMap((row): ClaimedEntry[] => {
      original = this.#readable('its message', () => found && readMessage(found.data), row, now);
      const entry = original && this.#readable('it', () => readEntry(row.data), row, now);
      return entry ? [{ key: row.seq, token: row.token, entry }] : [];
    });
    if (!found || !original || entries.length === 0) return undefined;
    return { message: original, body: this.#bodies.open(message, original.size, found.body), entries };
  }

  /** What cannot be read is set aside; what a newer version of this package wrote is left to it. */
  #readable<T>(what: string, read: () => T | undefined, row: ClaimedRow, now: number): T | undefined {
    try {
      const value = read();
      if (value === undefined) this.#setAside(row, `${what} cannot be read`);
      return value;
    } catch (error) {
      if (!(error instanceof NewerEntryError)) throw error;
      this.#sql.run(
        'UPDATE smtp_routes_entry SET state = 0, holder = NULL, due_at = ? WHERE seq = ?',
        now + NEWER_PAUSE_MS,
        row.seq,
      );
      this.#domains.touch(row.domain);
      return undefined;
    }
  }

  #setAside({ seq, domain, recipients }: ClaimedRow, reason: string): void {
    this.#sql.run('UPDATE smtp_routes_entry SET state = 3, holder = NULL WHERE seq = ?', seq);
    this.#domains.touch(domain, -recipients);
    const of = this.#sql.get<{ id: string }>(
      'SELECT m.id FROM smtp_routes_message m JOIN smtp_routes_entry e ON e.message = m.seq WHERE e.seq = ?',
      seq,
    );
    this.#onSetAside({ ...of, reason: `entry ${String(seq)} for ${domain}: ${reason}` });
  }

  giveBack(entries: readonly ClaimedEntry[]): void {
    for (const { key, token, entry } of entries) {
      const changed = this.#sql.run(`${FREE} WHERE seq = ? AND token = ? AND state = 1`, key, token);
      if (changed > 0) this.#domains.touch(entry.domain);
    }
  }

  renew({ leaseUntil }: ClaimBy, entries: readonly ClaimedEntry[]): number[] {
    const sql = 'UPDATE smtp_routes_entry SET lease_until = ? WHERE seq = ? AND token = ? AND state = 1';
    return entries.flatMap(({ key, token }) => (this.#sql.run(sql, leaseUntil, key, token) > 0 ? [] : [key]));
  }

  free(now: number, isDead: (holder: string) => boolean): { dead: number; silent: number } {
    const holders = this.#sql.all<{ holder: string }>('SELECT DISTINCT holder FROM smtp_routes_entry WHERE state = 1');
    const freed = (where: string, value: string | number): number => {
      const rows = this.#sql.all<{ domain: string }>(`${FREE} WHERE state = 1 AND ${where} RETURNING domain`, value);
      for (const { domain } of rows) this.#domains.touch(domain);
      return rows.length;
    };
    let dead = 0;
    for (const { holder } of holders) if (isDead(holder)) dead += freed('holder = ?', holder);
    return { dead, silent: freed('lease_until <= ?', now) };
  }
}

/** The token grows, so that a result that still comes is known to be late. */
const FREE = `UPDATE smtp_routes_entry SET state = CASE WHEN held >= recipients THEN 2 ELSE 0 END,
  token = token + 1, holder = NULL`;
