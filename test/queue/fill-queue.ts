/**
 * Fills a queue's tables with as much waiting mail as wanted, faster than by submitting it: as rows
 * that `submit` and a first attempt would have left.
 */
import type { SqliteDatabase } from 'smtp-routes/queue';

export interface Filling {
  readonly messages: number;
  /** The mail goes evenly to `domain0.test`, `domain1.test`, … */
  readonly domains: number;
  /** 0: never tried yet. */
  readonly retries?: number;
  readonly dueAt: number;
  readonly arrivalAt: number;
}

export function fillQueue(database: SqliteDatabase, filling: Filling): void {
  const { messages, domains, retries = 0, dueAt, arrivalAt } = filling;
  const n = String(messages);
  const numbers = `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${n})`;
  const domain = `'domain' || (i % ${String(domains)}) || '.test'`;
  database.exec(`
    BEGIN;
    ${numbers} INSERT INTO smtp_routes_message (id, named, sender, arrival_at, size, data, body)
      SELECT 'filled-' || i, 0, 'sender' || (i % 7) || '@example.net', ${String(arrivalAt)}, 16,
        json_object('v', 1, 'id', 'filled-' || i, 'from', 'sender' || (i % 7) || '@example.net',
          'arrivalAt', ${String(arrivalAt)}, 'size', 16), CAST('Subject: x' || char(13, 10, 13, 10, 13, 10) AS BLOB)
      FROM n;
    INSERT INTO smtp_routes_entry (message, domain, kind, state, due_at, set_at, recipients, held, token, data)
      SELECT seq, ${domain}, ${retries > 0 ? '1' : '0'}, 0, ${String(dueAt)} + i % 1000, ${String(arrivalAt)}, 1, 0, 1,
        json_object('v', 1, 'domain', ${domain}, 'retries', ${String(retries)}, 'firstAttemptAt', ${String(arrivalAt)},
          'recipients', json_array(json_object('recipient', 'user' || i || '@' || ${domain}, 'attempts', ${String(retries)},
            'history', json_array())))
      FROM (SELECT seq, CAST(substr(id, 8) AS INTEGER) AS i FROM smtp_routes_message WHERE id LIKE 'filled-%') ORDER BY seq;
    INSERT INTO smtp_routes_domain (name, active, due_new, due_retry)
      SELECT domain, count(*), min(CASE kind WHEN 0 THEN due_at END), min(CASE kind WHEN 1 THEN due_at END)
      FROM smtp_routes_entry GROUP BY domain;
    UPDATE smtp_routes_total SET active = active + ${n};
    COMMIT;
  `);
}
