/**
 * The SQLite connection that the app hands in, by what it can do: a `better-sqlite3` Database, or a
 * `node:sqlite` DatabaseSync. It is the queue's alone while the queue is open; other connections to
 * the same file, and other tables in it, are nobody's concern.
 */
import { isProblem, QueueStorageError, type StorageProblem } from '../storage-error.js';

/** What both drivers take and give back; blobs come back as Buffer or Uint8Array. */
export type SqlValue = string | number | null | Uint8Array;

export interface SqlStatement {
  run(...values: SqlValue[]): { readonly changes: number | bigint; readonly lastInsertRowid: number | bigint };
  get(...values: SqlValue[]): unknown;
  all(...values: SqlValue[]): unknown[];
}

export interface SqliteDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): SqlStatement;
}

/** Primary result codes of SQLite, as names (better-sqlite3) and numbers (node:sqlite). */
const PROBLEMS: Readonly<Record<string, readonly [StorageProblem, string]>> = {
  FULL: ['FULL', 'the disk, or the quota, is full'],
  13: ['FULL', 'the disk, or the quota, is full'],
  BUSY: ['LOCKED', 'the database is locked by somebody else'],
  5: ['LOCKED', 'the database is locked by somebody else'],
  LOCKED: ['LOCKED', 'the database is locked by somebody else'],
  6: ['LOCKED', 'the database is locked by somebody else'],
  READONLY: ['READ_ONLY', 'the database is read-only'],
  8: ['READ_ONLY', 'the database is read-only'],
};

/** A driver's error in the queue's words; anything else as it is. */
export function storageError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof QueueStorageError) return error;
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  const isSqlite = typeof errcode === 'number' || (typeof code === 'string' && code.startsWith('SQLITE_'));
  if (!isSqlite) return error;
  // Extended codes hold the primary one: in the low byte, and as the first word.
  const key = typeof errcode === 'number' ? String(errcode & 0xff) : (String(code).split('_')[1] ?? '');
  const [problem, words] = PROBLEMS[key] ?? (['STORAGE', 'the database failed'] as const);
  return new QueueStorageError(problem, `${words}: ${error.message}`, error);
}

export function isLocked(error: unknown): boolean {
  return isProblem(storageError(error), 'LOCKED');
}

/** Statements of one connection, each prepared once. */
export class Statements {
  readonly database: SqliteDatabase;
  readonly #prepared = new Map<string, SqlStatement>();

  constructor(database: SqliteDatabase) {
    this.database = database;
  }

  /** Answers how many rows changed. */
  run(sql: string, ...values: SqlValue[]): number {
    return Number(this.#of(sql).run(...values).changes);
  }

  /** Answers the key of the new row. */
  insert(sql: string, ...values: SqlValue[]): number {
    return Number(this.#of(sql).run(...values).lastInsertRowid);
  }

  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- who writes the query knows its rows
  get<Row>(sql: string, ...values: SqlValue[]): Row | undefined {
    return (this.#of(sql).get(...values) ?? undefined) as Row | undefined;
  }

  all<Row>(sql: string, ...values: SqlValue[]): Row[] {
    return this.#of(sql).all(...values) as Row[];
  }

  #of(sql: string): SqlStatement {
    let statement = this.#prepared.get(sql);
    if (!statement) {
      statement = this.database.prepare(sql);
      this.#prepared.set(sql, statement);
    }
    return statement;
  }
}
