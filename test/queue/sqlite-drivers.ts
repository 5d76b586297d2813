/**
 * The SQLite drivers there are on this machine. `better-sqlite3` needs a compiler and is no
 * dependency: `npm i --no-save better-sqlite3@12.9.0`, or SMTP_ROUTES_BETTER_SQLITE3=/its/folder.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SqliteDatabase } from 'smtp-routes/queue';

export interface Database extends SqliteDatabase {
  close(): void;
}

export interface Driver {
  readonly name: string;
  /** Why it cannot be tested here. */
  readonly missing?: string;
  readonly open: (file: string) => Database;
}

const require = createRequire(import.meta.url);

type Constructor = new (file: string) => Database;

function driver(name: string, advice: string, load: () => Constructor): Driver {
  try {
    const Opened = load();
    return { name, open: (file) => new Opened(file) };
  } catch {
    const missing = `${name} is not there: ${advice}`;
    return {
      name,
      missing,
      open: () => {
        throw new Error(missing);
      },
    };
  }
}

export const betterSqlite3: Driver = driver('better-sqlite3', 'npm i --no-save better-sqlite3@12.9.0', () => {
  const Database = require(process.env['SMTP_ROUTES_BETTER_SQLITE3'] ?? 'better-sqlite3') as Constructor;
  // Its binary may be of another Node.
  new Database(':memory:').close();
  return Database;
});

export const nodeSqlite: Driver = driver(
  'node:sqlite',
  'it comes with Node 22.13',
  () => (require('node:sqlite') as { DatabaseSync: Constructor }).DatabaseSync,
);

export const drivers: readonly Driver[] = [betterSqlite3, nodeSqlite];

/** The first that works here. */
export const anyDriver: Driver | undefined = drivers.find(({ missing }) => missing === undefined);

/** A folder that is gone afterwards. */
export function scratch(): { readonly file: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'smtp-routes-queue-'));
  return { file: join(folder, 'queue.db'), remove: () => rmSync(folder, { recursive: true, force: true }) };
}
