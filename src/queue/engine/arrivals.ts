/**
 * New mail as an engine takes it: its record, its first alarm, and its body if that is short.
 */
import { ENTRY_VERSION } from '../queue-entry.js';
import type { NewMail } from '../queue-store.js';
import type { TakenBody } from './engine-bodies.js';
import type { Arrival } from './engine.js';
import { alarmOf, changesBetween, newEntries, type MailRecord } from './mail-record.js';

export function recordOf({ message, entries, named }: NewMail, body: TakenBody | undefined): MailRecord {
  const size = body && 'key' in body ? body.size : (body?.inline.byteLength ?? 0);
  return {
    v: ENTRY_VERSION,
    message: { ...message, size },
    named,
    ...(body && 'key' in body && { body: body.key }),
    entries: newEntries(entries, message.arrivalAt),
  };
}

export function arrivalOf(record: MailRecord, body: TakenBody | undefined): Arrival {
  return {
    record,
    alarm: alarmOf(record),
    ...(body && 'inline' in body && { inline: body.inline }),
    changes: changesBetween(undefined, record),
  };
}
