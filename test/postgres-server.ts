/**
 * Debian's PostgreSQL on a free port of the loopback interface, with a cluster of its own. It
 * refuses to run as root: then as the user `postgres`.
 */
import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { freePort } from './free-port.js';
import { findProgram, ServerProcess } from './server-process.js';

export interface PostgresServer extends AsyncDisposable {
  readonly port: number;
  /** For `pg` and pg-boss; the database `postgres` by default. */
  connectionString(database?: string): string;
  /** An empty database. */
  create(database: string): Promise<void>;
  /** Stops it without ceremony, and starts it again on the same data. */
  restart(): Promise<void>;
}

const DEBIAN = '/usr/lib/postgresql';
const folders = existsSync(DEBIAN)
  ? readdirSync(DEBIAN)
      .sort((a, b) => Number(b) - Number(a))
      .map((version) => join(DEBIAN, version, 'bin'))
  : [];

/** Why its tests cannot run; undefined if they can. */
export const postgresMissing: string | undefined =
  findProgram('initdb', folders) === undefined
    ? 'PostgreSQL is not installed (Debian: apt-get install postgresql)'
    : undefined;

/** @throws {Error} where it is not installed, or does not start */
export async function startPostgres(): Promise<PostgresServer> {
  const initdb = findProgram('initdb', folders);
  const file = findProgram('postgres', folders);
  if (initdb === undefined || file === undefined) throw new Error(postgresMissing);
  const folder = mkdtempSync(join(tmpdir(), 'smtp-routes-postgres-'));
  const as = process.getuid?.() === 0 ? userOf('postgres') : undefined;
  if (as) chownSync(folder, as.uid, as.gid);
  const flags = ['-D', folder, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'];
  execFileSync(initdb, flags, { stdio: 'pipe', cwd: '/', ...as });
  const port = await freePort();
  const connectionString = (database = 'postgres'): string =>
    `postgres://postgres@127.0.0.1:${String(port)}/${database}`;
  const server = new ServerProcess({
    file,
    // Commits are synced, as where mail is real; its socket must not lie where others look.
    flags: ['-D', folder, '-p', String(port), '-h', '127.0.0.1', '-k', folder],
    ...as,
    isReady: () => accepts(connectionString()),
  });
  await server.start();
  return {
    port,
    connectionString,
    create: async (database) => {
      const client = new pg.Client({ connectionString: connectionString() });
      await client.connect();
      await client.query(`CREATE DATABASE ${database}`);
      await client.end();
    },
    restart: async () => {
      // "Immediate": no farewell to clients, recovery from the log at the next start.
      await server.stop('SIGQUIT');
      await server.start();
    },
    [Symbol.asyncDispose]: async () => {
      await server.stop('SIGQUIT');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function userOf(name: string): { uid: number; gid: number } {
  const id = (flag: string): number => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

async function accepts(connectionString: string): Promise<boolean> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 1000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    return false;
  }
}
