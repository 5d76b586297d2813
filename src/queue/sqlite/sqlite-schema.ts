/**
 * The tables of the queue, all under `smtp_routes_`, and how they came about, version by version.
 *
 * A claim must cost the same whatever waits. So what waits is indexed by domain, kind and time, and
 * each domain has a row that says when its first entry is due: a claim looks at domains, of which
 * those suspended are in no index and those with their share of workers are few.
 */
import { isLocked, storageError, type SqliteDatabase } from './sqlite-database.js';
import { QueueStorageError } from '../storage-error.js';

/** The log may grow to so many pages before it is written back, 16 MiB: mail that is gone by then never is. */
const CHECKPOINT_PAGES = 2000;

/** Each leads from the version that is its index to the next. Never changed once released. */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE smtp_routes_message (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    named INTEGER NOT NULL,
    sender TEXT NOT NULL,
    arrival_at INTEGER NOT NULL,
    size INTEGER NOT NULL,
    storing_by TEXT,           -- holder, while pieces of the body are still being stored
    data TEXT NOT NULL,
    body BLOB                  -- NULL: in smtp_routes_piece
  );
  CREATE INDEX smtp_routes_message_storing ON smtp_routes_message (storing_by) WHERE storing_by IS NOT NULL;

  CREATE TABLE smtp_routes_piece (
    message INTEGER NOT NULL,
    part INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (message, part)
  );

  CREATE TABLE smtp_routes_entry (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    message INTEGER NOT NULL,
    domain TEXT NOT NULL,
    kind INTEGER NOT NULL,     -- 0 new, 1 retry, 2 retry made due before its time
    state INTEGER NOT NULL,    -- 0 waiting, 1 in flight, 2 held, 3 set aside
    due_at INTEGER NOT NULL,
    set_at INTEGER NOT NULL,   -- when due_at was set
    recipients INTEGER NOT NULL,
    held INTEGER NOT NULL,     -- of the recipients
    token INTEGER NOT NULL,    -- grows with each claim: fences off late results
    holder TEXT,
    lease_until INTEGER,
    data TEXT NOT NULL
  );
  CREATE INDEX smtp_routes_entry_message ON smtp_routes_entry (message);
  CREATE INDEX smtp_routes_entry_due ON smtp_routes_entry (domain, kind, due_at) WHERE state = 0;
  CREATE INDEX smtp_routes_entry_claimed ON smtp_routes_entry (domain, lease_until) WHERE state = 1;
  CREATE INDEX smtp_routes_entry_held ON smtp_routes_entry (domain) WHERE held > 0;

  CREATE TABLE smtp_routes_domain (
    name TEXT PRIMARY KEY,
    suspended INTEGER NOT NULL DEFAULT 0,
    due_new INTEGER,           -- when the first entry not tried yet is due, NULL: there is none
    due_retry INTEGER,
    wake_size INTEGER NOT NULL DEFAULT 100,
    state TEXT NOT NULL DEFAULT 'unknown',
    last_attempt_at INTEGER,
    last_failure TEXT,
    active INTEGER NOT NULL DEFAULT 0,
    delivered INTEGER NOT NULL DEFAULT 0,
    soft_bounces INTEGER NOT NULL DEFAULT 0,
    dns INTEGER NOT NULL DEFAULT 0,
    refused INTEGER NOT NULL DEFAULT 0,
    expired INTEGER NOT NULL DEFAULT 0,
    other INTEGER NOT NULL DEFAULT 0,
    discarded INTEGER NOT NULL DEFAULT 0,
    removed INTEGER NOT NULL DEFAULT 0
  ) WITHOUT ROWID;
  CREATE INDEX smtp_routes_domain_new ON smtp_routes_domain (due_new) WHERE suspended = 0 AND due_new IS NOT NULL;
  CREATE INDEX smtp_routes_domain_retry ON smtp_routes_domain (due_retry) WHERE suspended = 0 AND due_retry IS NOT NULL;

  CREATE TABLE smtp_routes_ended (id TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX smtp_routes_ended_at ON smtp_routes_ended (at);

  CREATE TABLE smtp_routes_total (
    seen_at INTEGER NOT NULL DEFAULT 0,
    suspended INTEGER NOT NULL DEFAULT 0,
    active INTEGER NOT NULL DEFAULT 0,
    delivered INTEGER NOT NULL DEFAULT 0,
    soft_bounces INTEGER NOT NULL DEFAULT 0,
    dns INTEGER NOT NULL DEFAULT 0,
    refused INTEGER NOT NULL DEFAULT 0,
    expired INTEGER NOT NULL DEFAULT 0,
    other INTEGER NOT NULL DEFAULT 0,
    discarded INTEGER NOT NULL DEFAULT 0,
    removed INTEGER NOT NULL DEFAULT 0
  );
  INSERT INTO smtp_routes_total DEFAULT VALUES;
  `,
];

/** While the tables are made: another process may be at it. */
const OPEN_TIMEOUT_MS = 5_000;
/** For each there was another process that had just come. */
const MAX_SWITCHES = 50;
/** Afterwards waiting is done between turns of the event loop, not within one. */
const BUSY_TIMEOUT_MS = 10;

/**
 * Sets the connection up, and makes or brings up to date the tables.
 *
 * @throws {QueueStorageError} if the schema is newer than this package, or cannot be written
 */
export function openSchema(database: SqliteDatabase): void {
  try {
    database.exec(`PRAGMA busy_timeout = ${String(OPEN_TIMEOUT_MS)}`);
    if (versionOf(database) < MIGRATIONS.length) migrate(database);
    // A commit is on the disk when it returns: FULL syncs the log each time, NORMAL would not.
    database.exec('PRAGMA synchronous = FULL');
    database.exec(`PRAGMA wal_autocheckpoint = ${String(CHECKPOINT_PAGES)}`);
    database.exec(`PRAGMA busy_timeout = ${String(BUSY_TIMEOUT_MS)}`);
  } catch (error) {
    throw storageError(error);
  }
}

function versionOf(database: SqliteDatabase): number {
  const table = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'smtp_routes_schema'").get();
  if (!table) return 0;
  const row = database.prepare('SELECT version FROM smtp_routes_schema').get() as { version: number } | undefined;
  const version = row?.version ?? 0;
  if (version <= MIGRATIONS.length) return version;
  throw new QueueStorageError(
    'SCHEMA',
    `the tables are of version ${String(version)}, this package knows ${String(MIGRATIONS.length)}: use the newer package`,
  );
}

function migrate(database: SqliteDatabase): void {
  // A message of the usual size then fits a page. Only a file that is still empty takes it.
  database.exec('PRAGMA page_size = 8192');
  switchToLog(database);
  database.exec('PRAGMA synchronous = FULL');
  database.exec('BEGIN IMMEDIATE');
  try {
    // Somebody else may have been quicker.
    const version = versionOf(database);
    for (const migration of MIGRATIONS.slice(version)) database.exec(migration);
    database.exec('CREATE TABLE IF NOT EXISTS smtp_routes_schema (version INTEGER NOT NULL)');
    database.exec('DELETE FROM smtp_routes_schema');
    database.exec(`INSERT INTO smtp_routes_schema VALUES (${String(MIGRATIONS.length)})`);
    database.exec('COMMIT');
  } catch (error) {
    rollBack(database);
    throw error;
  }
}

/**
 * The switch to the write-ahead log gives up at once while another process looks at the file, whatever
 * the busy time-out says: waiting with a lock in hand could wait for ever. So the wait is for a
 * transaction that nobody else can have beside it, with nothing in hand, and then the switch again:
 * the other has been quicker, or is out of the way.
 */
function switchToLog(database: SqliteDatabase): void {
  for (let tries = 1; ; tries++) {
    try {
      database.exec('PRAGMA journal_mode = WAL');
      return;
    } catch (error) {
      if (!isLocked(error) || tries === MAX_SWITCHES) throw error;
      database.exec('BEGIN EXCLUSIVE');
      database.exec('COMMIT');
    }
  }
}

/** Never throws: SQLite has rolled back by itself after some errors. */
export function rollBack(database: SqliteDatabase): void {
  try {
    database.exec('ROLLBACK');
  } catch {
    // Nothing was open.
  }
}
