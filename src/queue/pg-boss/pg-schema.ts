/**
 * The tables of the queue, beside those of pg-boss and in the same schema, all with the queue's name
 * as prefix; and how they came about, version by version.
 */
import { QueueStorageError } from '../storage-error.js';
import type { PgPool, PgRunner } from './pg-pool.js';
import { transact } from './pg-transaction.js';

/** Names of tables, quoted. No index may be called as a table of a queue with a longer name: `a_entry_domain` is one of `a-entry`. */
export interface Tables {
  /** Of pg-boss's own, where its queues are listed. */
  readonly queues: string;
  readonly schema: string;
  readonly message: string;
  readonly entry: string;
  readonly inline: string;
  readonly piece: string;
  readonly ended: string;
  readonly domain: string;
  readonly count: string;
  readonly prefix: string;
}

export function tablesOf(schema: string, name: string): Tables {
  // Its letters in the case that PostgreSQL makes of them, as pg-boss has it.
  const prefix = `${schema}."${name.replaceAll('-', '_')}_`;
  const table = (what: string): string => `${prefix}${what}"`;
  return {
    queues: `${schema}.queue`,
    schema: table('schema'),
    message: table('message'),
    entry: table('entry'),
    inline: table('inline'),
    piece: table('piece'),
    ended: table('ended'),
    domain: table('domain'),
    count: table('count'),
    prefix: name.replaceAll('-', '_'),
  };
}

/** Each leads from the version that is its index to the next. Never changed once released. */
const MIGRATIONS: readonly ((tables: Tables) => string)[] = [
  ({ message, entry, inline, piece, ended, domain, count, prefix }) => `
  CREATE TABLE ${message} (
    seq bigserial PRIMARY KEY,
    id text NOT NULL UNIQUE,
    version integer NOT NULL DEFAULT 0,
    data text NOT NULL,
    body text,                        -- its name in the MessageStore
    alarm_at double precision,        -- when its job is due
    lane text,                        -- in which queue of pg-boss
    holder text                       -- of entries in flight
  );
  CREATE INDEX "${prefix}_message_alarm" ON ${message} (alarm_at) WHERE holder IS NULL AND alarm_at IS NOT NULL;
  CREATE INDEX "${prefix}_message_holder" ON ${message} (holder, alarm_at) WHERE holder IS NOT NULL;
  CREATE INDEX "${prefix}_message_body" ON ${message} (body) WHERE body IS NOT NULL;

  -- The one index of ours: entries by domain.
  CREATE TABLE ${entry} (
    seq bigint NOT NULL,
    n integer NOT NULL,
    domain text NOT NULL,
    retry_at double precision,        -- while it waits for a retry
    PRIMARY KEY (seq, n)
  );
  CREATE INDEX "${prefix}_entry_by_domain" ON ${entry} (domain, seq, n);
  CREATE INDEX "${prefix}_entry_retry" ON ${entry} (domain, retry_at) WHERE retry_at IS NOT NULL;

  CREATE TABLE ${inline} (seq bigint PRIMARY KEY, bytes bytea NOT NULL);
  CREATE TABLE ${piece} (
    key text NOT NULL,
    part integer NOT NULL,
    bytes bytea NOT NULL,
    put_at double precision NOT NULL,
    PRIMARY KEY (key, part)
  );
  CREATE TABLE ${ended} (id text PRIMARY KEY, at double precision NOT NULL);
  CREATE INDEX "${prefix}_ended_at" ON ${ended} (at);

  -- '*' is all of them.
  CREATE TABLE ${domain} (
    name text PRIMARY KEY,
    suspended boolean NOT NULL DEFAULT false,
    wake_size integer
  );
  CREATE INDEX "${prefix}_domain_suspended" ON ${domain} (name) WHERE suspended;

  -- In shards, so that workers who count for one domain do not wait for each other.
  CREATE TABLE ${count} (
    domain text NOT NULL,
    shard smallint NOT NULL,
    active bigint NOT NULL,
    in_flight bigint NOT NULL,
    held bigint NOT NULL,
    delivered bigint NOT NULL,
    soft_bounces bigint NOT NULL,
    dns bigint NOT NULL,
    refused bigint NOT NULL,
    expired bigint NOT NULL,
    other bigint NOT NULL,
    discarded bigint NOT NULL,
    removed bigint NOT NULL,
    state text,
    last_attempt_at double precision,
    last_failure text,
    PRIMARY KEY (domain, shard)
  );
  `,
];

/**
 * Makes the tables, or brings them up to date.
 *
 * @param openQueues makes the queues of pg-boss and answers their names. Not within the transaction: it may want the one connection there is
 * @throws {QueueStorageError} if they are of a newer version than this package knows, or pg-boss is elsewhere
 */
export async function openSchema(
  pool: PgPool,
  tables: Tables,
  openQueues: () => Promise<readonly string[]>,
): Promise<void> {
  await checkPlace(pool, tables, await openQueues());
  await transact(pool, async (client) => {
    // One process at a time; the others find it done.
    await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [tables.schema]);
    await client.query(`CREATE TABLE IF NOT EXISTS ${tables.schema} (version integer NOT NULL)`);
    const version = await versionOf(client, tables);
    if (version > MIGRATIONS.length) {
      throw new QueueStorageError(
        'SCHEMA',
        `the tables are of version ${String(version)}, this package knows ${String(MIGRATIONS.length)}: use the newer package`,
      );
    }
    if (version < MIGRATIONS.length) {
      for (const migration of MIGRATIONS.slice(version)) await client.query(migration(tables));
      await client.query(`DELETE FROM ${tables.schema}`);
      await client.query(`INSERT INTO ${tables.schema} VALUES ($1)`, [MIGRATIONS.length]);
    }
  });
}

/** SQLSTATE: no such table, no such schema. */
const NOT_THERE = ['42P01', '3F000'];

/** What pg-boss has just made must be seen from here too. */
async function checkPlace(pool: PgPool, { queues }: Tables, names: readonly string[]): Promise<void> {
  let cause: unknown;
  try {
    const { rows } = await pool.query(`SELECT 1 FROM ${queues} WHERE name = ANY($1::text[])`, [names]);
    if (rows.length === names.length) return;
  } catch (error) {
    if (!NOT_THERE.includes(String((error as { readonly code?: unknown }).code))) throw error;
    cause = error;
  }
  throw new QueueStorageError(
    'SCHEMA',
    `${queues} of the pool's database does not list the queues of this boss: give its schema as "schema", and a "pool" of its database`,
    cause,
  );
}

async function versionOf(client: PgRunner, { schema }: Tables): Promise<number> {
  const { rows } = await client.query(`SELECT version FROM ${schema}`);
  return (rows[0] as { version: number } | undefined)?.version ?? 0;
}
