/**
 * What only messages tell of a domain: since when mail waits for it, and when that is tried next.
 */
import type { HostStatus } from '../delivery-queue.js';
import type { Engine } from './engine.js';
import { placeOf, readRecordIfKnown, type MailRecord, type RecordEntry } from './mail-record.js';

/** Most often the first of the domain waits; behind many that are held there are larger steps to go. */
const FIRST_LOOK = 4;
const MOST_AT_ONCE = 1000;

export async function domainTimes(
  engine: Pick<Engine, 'keys' | 'read' | 'waiting'>,
  domain: string,
): Promise<Pick<HostStatus, 'oldestAt' | 'nextAttemptAt'>> {
  const [retry] = await engine.waiting(domain, 1);
  const oldest = await oldestWaiting(engine, domain);
  const dues = [retry?.dueAt, oldest?.entry.dueAt].flatMap((at) => at ?? []);
  return {
    ...(oldest && { oldestAt: oldest.record.message.arrivalAt }),
    ...(dues.length > 0 && { nextAttemptAt: Math.min(...dues) }),
  };
}

async function oldestWaiting(
  engine: Pick<Engine, 'keys' | 'read'>,
  domain: string,
): Promise<{ readonly record: MailRecord; readonly entry: RecordEntry } | undefined> {
  let after: number | undefined = 0;
  for (let limit = FIRST_LOOK; after !== undefined; limit = Math.min(limit * 8, MOST_AT_ONCE)) {
    const keys: number[] = await engine.keys({ after, limit, domain });
    // A message has one entry for a domain.
    const stored = await engine.read(keys.map((key) => placeOf(key).seq));
    for (const { data } of stored.sort((a, b) => a.seq - b.seq)) {
      const record = readRecordIfKnown(data);
      const entry = record?.entries.find((one) => one.entry.domain === domain && one.status === 'waiting');
      if (record && entry) return { record, entry };
    }
    after = keys.length === limit ? keys.at(-1) : undefined;
  }
  return undefined;
}
