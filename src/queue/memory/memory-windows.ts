/**
 * The queue in memory as operators see it: entries in the order of arrival, a window at a time.
 */
import type { ShownEntry } from '../delivery-queue.js';
import type { StoredEntry } from './memory-domains.js';
import type { Altered, Window } from '../queue-store.js';
import { fits, shownRecipients } from '../which-mail.js';

export function showWindow(
  rows: Iterable<StoredEntry>,
  window: Window,
): { readonly entries: readonly ShownEntry[]; readonly next?: number } {
  const entries: ShownEntry[] = [];
  for (const row of rows) {
    if (row.key <= window.after || !fits(window.filter, window.now, factsOf(row))) continue;
    const { status, dueAt, entry } = row;
    entries.push({
      ...factsOf(row),
      size: row.message.message.size,
      retries: entry.retries,
      ...(status !== 'held' && { nextAttemptAt: dueAt }),
      ...(entry.via && { via: entry.via }),
      recipients: shownRecipients(entry),
    });
    if (entries.length === window.limit) return { entries, next: row.key };
  }
  return { entries };
}

/** @param act answers whether it did anything; not asked for what is in flight */
export function alterWindow(
  rows: Iterable<StoredEntry>,
  { filter, now, after, upTo = Infinity, limit }: Window,
  act: (row: StoredEntry) => boolean,
): Altered {
  const altered = { entries: 0, recipients: 0, inFlight: 0 };
  let seen = 0;
  for (const row of [...rows]) {
    if (row.key > upTo) break;
    if (row.key <= after || !fits(filter, now, factsOf(row))) continue;
    if (seen++ === limit) return { ...altered, next: row.key - 1 };
    const { length } = row.entry.recipients;
    if (row.status === 'in-flight') altered.inFlight++;
    else if (act(row)) {
      altered.entries++;
      altered.recipients += length;
    }
  }
  return altered;
}

function factsOf({
  message: { message },
  domain,
  status,
}: StoredEntry): Pick<ShownEntry, 'id' | 'domain' | 'from' | 'arrivalAt' | 'status'> {
  const { id, from, arrivalAt } = message;
  return { id, domain: domain.name, from, arrivalAt, status };
}
