/**
 * Queues filled in bulk, with exactly what submitting leaves: a few messages are really submitted,
 * and copied under other names, their jobs by the engine's own way to add many at once.
 */
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';
import PgBoss from 'pg-boss';
import { Deliverer, defineRoutes } from '../../src/index.js';
import { bullmqQueue } from '../../src/queue/bullmq/index.js';
import type { DeliveryQueue, QueueOptions } from '../../src/queue/index.js';
import { pgBossQueue } from '../../src/queue/pg-boss/index.js';
import { ScriptedTransport } from '../../src/testing/index.js';

const DOMAINS = 10;
/** Short runs of one domain, as they come in life. */
const AT_ONCE = 20;
const HOUR_MS = 3_600_000;
const BODY = 'Subject: filled\r\n\r\nx\r\n';

/** A message for each domain that is due, and one that waits for its retry in an hour; answers their ids, in the order of arrival. */
async function submitOriginals(
  open: (options: Pick<QueueOptions, 'deliverer' | 'profile'>) => DeliveryQueue,
): Promise<string[]> {
  const routes = defineRoutes({
    relays: { busy: { host: '192.0.2.1' } },
    routes: [{ match: 'ALL', tiers: [['busy']] }],
  });
  const transport = new ScriptedTransport({ busy: Array.from({ length: DOMAINS }, () => '450 later') });
  const deliverer = new Deliverer({ routes, transport });
  const queue = open({ deliverer, profile: { initialRetryMs: HOUR_MS, maxRetryMs: HOUR_MS } });
  const ids: string[] = [];
  const submit = async (domain: string): Promise<void> => {
    for (let i = 0; i < DOMAINS; i++) {
      const envelope = { from: 'sender@example.org', to: [`user@${domain}${String(i)}.test`] };
      ids.push((await queue.submit({ envelope, message: BODY })).id);
    }
  };
  // Of other domains, which no success wakes.
  await submit('later');
  while ((await queue.runDue()).length > 0);
  await submit('domain');
  await queue.close();
  return ids;
}

/** Copies the record of one message under as many numbers, and what is kept beside it. */
const COPY = `
local base, from, first, count = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local record = redis.call('HGETALL', base .. 'message:' .. from)
local data = redis.call('HGET', base .. 'message:' .. from, 'data')
local message = cjson.decode(data)
local domain = message.entries[1].entry.domain
local at = redis.call('ZSCORE', base .. 'alarms', from)
local retry = redis.call('ZSCORE', base .. 'retries:' .. domain, string.format('%.0f', from * 65536))
for seq = first, first + count - 1 do
  local id = 'filled-' .. string.format('%.0f', seq)
  local name = string.format('%.0f', seq)
  local key = string.format('%.0f', seq * 65536)
  redis.call('HSET', base .. 'message:' .. name, unpack(record))
  redis.call('HSET', base .. 'message:' .. name, 'data', (string.gsub(data, message.message.id, id, 1)))
  redis.call('HSET', base .. 'ids', id, name)
  redis.call('ZADD', base .. 'alarms', at, name)
  redis.call('ZADD', base .. 'entries', key, key)
  redis.call('ZADD', base .. 'entries:' .. domain, key, key)
  if retry then redis.call('ZADD', base .. 'retries:' .. domain, retry, key) end
end
redis.call('HINCRBY', base .. 'counts:' .. domain, 'active', count)
redis.call('HINCRBY', base .. 'total', 'active', count)
redis.call('ZINCRBY', base .. 'top:active', count, domain)
return { message.entries[1].kind, at }`;

export async function fillRedis(place: string, name: string, messages: number): Promise<void> {
  const connection = new Redis(place, { maxRetriesPerRequest: null });
  const prefix = 'smtp-routes';
  const base = `${prefix}:{${name}}:mail:`;
  const ids = await submitOriginals((options) => bullmqQueue({ connection, name, prefix, ...options }));
  const queues = {
    new: new Queue(`{${name}}.new`, { connection, prefix }),
    retry: new Queue(`{${name}}.retry`, { connection, prefix }),
  };
  // The log would be most of the time.
  await connection.config('SET', 'appendfsync', 'everysec');
  const rounds = Math.ceil(messages / ids.length / AT_ONCE);
  for (let round = 0; round < rounds; round++) {
    const count = Math.min(AT_ONCE, Math.ceil(messages / ids.length) - round * AT_ONCE);
    for (const id of ids) {
      const original = (await connection.hget(`${base}ids`, id)) ?? '';
      const first = (await connection.incrby(`${base}last`, count)) - count + 1;
      const [kind, at] = (await connection.eval(COPY, 0, base, original, first, count)) as [string, string];
      const delay = Math.max(0, Number(at) - Date.now());
      const jobs = Array.from({ length: count }, (_, i) => ({
        name: 'message',
        data: { seq: first + i },
        opts: { jobId: `m${String(first + i)}`, delay, removeOnComplete: true, removeOnFail: true },
      }));
      await queues[kind === 'new' ? 'new' : 'retry'].addBulk(jobs);
    }
  }
  await connection.config('SET', 'appendfsync', 'always');
  await queues.new.close();
  await queues.retry.close();
  await connection.quit();
}

export async function fillPgBoss(place: string, name: string, messages: number): Promise<void> {
  const pool = new pg.Pool({ connectionString: place, max: 4 });
  const boss = new PgBoss({ connectionString: place, max: 2, schedule: false, supervise: false });
  await boss.start();
  const ids = await submitOriginals((options) => pgBossQueue({ boss, pool, name, ...options }));
  const table = (what: string): string => `pgboss.${name.replaceAll('-', '_')}_${what}`;
  const copied = await pool.query(
    `WITH original AS (SELECT * FROM ${table('message')} WHERE id = ANY($1)),
     m AS (INSERT INTO ${table('message')} (id, version, data, alarm_at, lane)
       SELECT 'filled-' || i || '-' || o.seq, o.version, replace(o.data, o.id, 'filled-' || i || '-' || o.seq), o.alarm_at, o.lane
       FROM original o, generate_series(1, $2) i ORDER BY i, o.seq RETURNING seq, split_part(id, '-', 2)::int AS i, split_part(id, '-', 3)::bigint AS of),
     e AS (INSERT INTO ${table('entry')} (seq, n, domain, retry_at)
       SELECT m.seq, e.n, e.domain, e.retry_at FROM m JOIN ${table('entry')} e ON e.seq = m.of),
     b AS (INSERT INTO ${table('inline')} (seq, bytes)
       SELECT m.seq, b.bytes FROM m JOIN ${table('inline')} b ON b.seq = m.of),
     j AS (INSERT INTO pgboss.job (id, name, data, start_after, expire_in, keep_until, retry_limit, retry_delay, policy)
       SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(m.seq), 12, '0'))::uuid, j.name, jsonb_build_object('seq', m.seq),
         j.start_after - ($2 - m.i) * interval '10 ms', j.expire_in, j.keep_until, j.retry_limit, j.retry_delay, j.policy
       FROM m JOIN pgboss.job j ON j.name LIKE $3 AND j.data = jsonb_build_object('seq', m.of)),
     c AS (UPDATE ${table('count')} SET active = active + $2
       WHERE domain IN (SELECT e.domain FROM original JOIN ${table('entry')} e USING (seq)) AND active > 0)
     SELECT 1 FROM m`,
    [ids, Math.ceil(messages / ids.length), `${name}.%`],
  );
  if (copied.rowCount !== Math.ceil(messages / ids.length) * ids.length) throw new Error('the queue was not filled');
  await pool.query('ANALYZE');
  await boss.stop({ graceful: false });
  await pool.end();
}
