/**
 * Where messages are kept. A body of one piece stands in the message's row; a longer one in rows of
 * its own, written and read piece by piece, so that it neither fills the memory nor blocks the
 * event loop for longer than one piece takes.
 */
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Message } from '../../delivery/relay-transport.js';
import type { GroupCommit } from './group-commit.js';
import { REMEMBER_MS } from '../message-id.js';
import { onePiece, pieces } from '../message-bytes.js';
import type { QueuedMessage } from '../queue-entry.js';
import type { Statements } from './sqlite-database.js';

/** A body ready to become a message: bytes, or pieces stored already under a row of their own. */
export type Body = { readonly bytes: Uint8Array } | { readonly storedAs: number; readonly size: number };

export class SqliteBodies {
  readonly #sql: Statements;
  readonly #commits: GroupCommit;
  readonly #limit: number;
  /** Rows that could not be dropped, as while the disk is full: for the next sweep. */
  readonly #toDrop = new Set<number>();

  constructor(sql: Statements, commits: GroupCommit, maxMessageBytes: number) {
    this.#sql = sql;
    this.#commits = commits;
    this.#limit = maxMessageBytes;
  }

  /**
   * Reads a message, and stores it if it is long. What is stored is no message yet, and is swept if
   * this process dies.
   *
   * @throws {MessageTooLargeError} and whatever reading the message throws; then nothing is stored
   */
  async take(message: Message, holder: string): Promise<Body> {
    const whole = onePiece(message, this.#limit);
    if (whole) return { bytes: whole };
    let first: Uint8Array | undefined;
    let row: number | undefined;
    let part = 0;
    let size = 0;
    try {
      for await (const piece of pieces(message, this.#limit)) {
        size += piece.byteLength;
        if (!first) {
          first = piece;
          continue;
        }
        row ??= await this.#begin(holder);
        if (part === 0) await this.#add(row, part++, first);
        await this.#add(row, part++, piece);
      }
    } catch (error) {
      if (row !== undefined) await this.drop(row);
      throw error;
    }
    return row === undefined ? { bytes: first ?? new Uint8Array() } : { storedAs: row, size };
  }

  #begin(holder: string): Promise<number> {
    return this.#commits.run(() =>
      this.#sql.insert(
        `INSERT INTO smtp_routes_message (id, named, sender, arrival_at, size, storing_by, data) VALUES (?, 0, '', 0, 0, ?, '')`,
        `storing ${randomUUID()}`,
        holder,
      ),
    );
  }

  #add(row: number, part: number, bytes: Uint8Array): Promise<number> {
    const sql = 'INSERT INTO smtp_routes_piece (message, part, bytes) VALUES (?, ?, ?)';
    return this.#commits.run(() => this.#sql.run(sql, row, part, bytes), bytes.byteLength);
  }

  /** Of what is stored under a row that became no message. Never rejects: what cannot be dropped now is swept. */
  async drop(row: number): Promise<void> {
    this.#toDrop.add(row);
    try {
      await this.#commits.run(() => {
        const sql = 'SELECT 1 FROM smtp_routes_message WHERE seq = ? AND storing_by IS NOT NULL';
        if (this.#sql.get(sql, row)) this.delete(row);
      });
      this.#toDrop.delete(row);
    } catch {
      // Whoever failed to store has an error of their own, which says more.
    }
  }

  /** Within a transaction: the message's row. Undefined if there is, or lately was, a message of that name. */
  insert(message: Omit<QueuedMessage, 'size'>, named: boolean, body: Body): number | undefined {
    const { id, from, arrivalAt } = message;
    const size = sizeOf(body);
    if (named && this.#sql.get('SELECT 1 FROM smtp_routes_ended WHERE id = ?', id)) return undefined;
    const data = JSON.stringify({ ...message, size });
    const values = [id, named ? 1 : 0, from, arrivalAt, size, data] as const;
    if (this.#sql.get('SELECT 1 FROM smtp_routes_message WHERE id = ?', id)) return undefined;
    if ('bytes' in body) {
      return this.#sql.insert(
        'INSERT INTO smtp_routes_message (id, named, sender, arrival_at, size, data, body) VALUES (?, ?, ?, ?, ?, ?, ?)',
        ...values,
        body.bytes,
      );
    }
    this.#sql.run(
      `UPDATE smtp_routes_message SET id = ?, named = ?, sender = ?, arrival_at = ?, size = ?, data = ?, storing_by = NULL
       WHERE seq = ?`,
      ...values,
      body.storedAs,
    );
    return body.storedAs;
  }

  /** What a delivery reads of what was just stored. */
  opened(row: number, body: Body): Message {
    return 'bytes' in body ? body.bytes : this.open(row, body.size, null);
  }

  /** What a delivery reads: in the size it was stored in, or an error before its end. */
  open(row: number, size: number, bytes: Uint8Array | null): Message {
    if (bytes?.byteLength === size) return bytes;
    const sql = this.#sql;
    function* read(): Generator<Uint8Array, void, undefined> {
      for (let part = 0, left = size; left > 0; part++) {
        const found = sql.get<{ bytes: Uint8Array }>(
          'SELECT bytes FROM smtp_routes_piece WHERE message = ? AND part = ?',
          row,
          part,
        );
        if (!found || found.bytes.byteLength > left) throw new Error('a piece of the message is missing');
        left -= found.bytes.byteLength;
        yield found.bytes;
      }
    }
    return { size, open: () => Readable.from(read(), { objectMode: false }) };
  }

  /** Within a transaction, when the last entry of a message is gone. */
  end(row: number, now: number): void {
    const ended = this.#sql.get<{ id: string; named: number }>(
      'SELECT id, named FROM smtp_routes_message WHERE seq = ?',
      row,
    );
    if (ended?.named === 1) {
      this.#sql.run('INSERT OR REPLACE INTO smtp_routes_ended (id, at) VALUES (?, ?)', ended.id, now);
    }
    this.delete(row);
  }

  delete(row: number): void {
    const deleted = this.#sql.get<{ whole: number }>(
      'DELETE FROM smtp_routes_message WHERE seq = ? RETURNING body IS NOT NULL AS whole',
      row,
    );
    if (deleted?.whole === 0) this.#sql.run('DELETE FROM smtp_routes_piece WHERE message = ?', row);
  }

  /** Within a transaction: sweeps what dead processes left half-stored, and what could not be dropped here. */
  sweep(isDead: (holder: string) => boolean): void {
    const rows = this.#sql.all<{ seq: number; storing_by: string }>(
      'SELECT seq, storing_by FROM smtp_routes_message WHERE storing_by IS NOT NULL',
    );
    // Those that are gone by now; of those deleted here it is not known yet whether that holds.
    const stored = new Set(rows.map(({ seq }) => seq));
    for (const row of this.#toDrop) if (!stored.has(row)) this.#toDrop.delete(row);
    for (const { seq, storing_by } of rows) if (this.#toDrop.has(seq) || isDead(storing_by)) this.delete(seq);
  }

  /** Within a transaction: forgets names that nobody will give again. */
  forgetNames(now: number): void {
    this.#sql.run('DELETE FROM smtp_routes_ended WHERE at < ?', now - REMEMBER_MS);
  }
}

export function sizeOf(body: Body): number {
  return 'bytes' in body ? body.bytes.byteLength : body.size;
}
