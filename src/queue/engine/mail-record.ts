/**
 * What an engine's store keeps of a message beside its body: one record, with an entry for each
 * domain. It is replaced as a whole, and only by who has seen its latest version; so every step of
 * the queue is a pure function from record to record, the same on every engine.
 *
 * An older version leaves a newer one's records alone, its own results included. So a version that
 * raises `v` goes on writing a record as it was for as long as somebody has something of it in flight.
 */
import { countsOf, type Counts } from '../domain-tally.js';
import type { ENTRY_VERSION } from '../queue-entry.js';
import { asEntry, asMessage, versioned, type QueuedMessage, type QueueEntry } from '../queue-entry.js';
import type { EntryResult } from '../queue-store.js';

/** The part of the message for one domain. */
export interface RecordEntry {
  /** Its place in the message: with the message's number, its name. */
  readonly n: number;
  readonly entry: QueueEntry;
  readonly status: 'waiting' | 'in-flight' | 'held';
  /** `woken`: due before its time; once between two scheduled attempts. */
  readonly kind: 'new' | 'retry' | 'woken';
  readonly dueAt: number;
  /** When `dueAt` was set. */
  readonly setAt: number;
  /** Grows with each claim: fences off late results. */
  readonly token: number;
  readonly holder?: string;
  readonly leaseUntil?: number;
}

export interface MailRecord {
  readonly v: typeof ENTRY_VERSION;
  readonly message: QueuedMessage;
  readonly named: boolean;
  /** The name of the body in the `MessageStore`; absent: kept with the record. */
  readonly body?: string;
  readonly entries: readonly RecordEntry[];
}

/** What waits until when, in which lane of the engine: mail not tried yet, or tried before. */
export interface Alarm {
  readonly lane: Lane;
  readonly at: number;
}

export type Lane = 'new' | 'retry';

/** Numbers of messages leave room for the places of their entries, so that one number names an entry. */
const PLACES = 65_536;

export function keyOf(seq: number, n: number): number {
  return seq * PLACES + n;
}

export function placeOf(key: number): { readonly seq: number; readonly n: number } {
  return { seq: Math.floor(key / PLACES), n: key % PLACES };
}

/** @throws {RangeError} for more domains than a record takes */
export function newEntries(entries: readonly QueueEntry[], arrivalAt: number): RecordEntry[] {
  if (entries.length > PLACES) throw new RangeError(`more than ${String(PLACES)} domains in one message`);
  return entries.map((entry, n) => ({
    n,
    entry,
    status: 'waiting',
    kind: 'new',
    dueAt: arrivalAt,
    setAt: arrivalAt,
    token: 0,
  }));
}

/**
 * Reads a stored record. Undefined for what is damaged.
 *
 * @throws {NewerEntryError} for what a newer version of this package wrote
 */
export function readRecord(data: string): MailRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return undefined;
  }
  const record = versioned(value) as MailRecord | undefined;
  if (!record || !asMessage(record.message) || !Array.isArray(record.entries)) return undefined;
  return record.entries.every(({ entry, n }) => Number.isInteger(n) && asEntry(entry)) ? record : undefined;
}

/** The same for who only looks: undefined for what a newer version wrote, too. */
export function readRecordIfKnown(data: string): MailRecord | undefined {
  try {
    return readRecord(data);
  } catch {
    return undefined;
  }
}

/**
 * When the engine is to bring the message up: for what waits at its time, for what is in flight when
 * its lease ends. Undefined: never, all of it is held.
 *
 * @param notBefore times until which domains are passed over, those suspended above all
 */
export function alarmOf({ entries }: MailRecord, notBefore?: ReadonlyMap<string, number>): Alarm | undefined {
  let alarm: Alarm | undefined;
  for (const { status, kind, dueAt, leaseUntil = 0, entry } of entries) {
    if (status === 'held') continue;
    const at = Math.max(status === 'in-flight' ? leaseUntil : dueAt, notBefore?.get(entry.domain) ?? 0);
    const lane = status === 'waiting' && kind === 'new' ? 'new' : 'retry';
    if (!alarm || at < alarm.at || (at === alarm.at && lane === 'new')) alarm = { lane, at };
  }
  return alarm;
}

/** What a step means for the numbers of a domain. */
export interface DomainChange {
  readonly domain: string;
  active: number;
  inFlight: number;
  held: number;
  counts?: Counts;
  attempt?: { readonly state: 'up' | 'down'; readonly at: number; readonly failure?: EntryResult['failure'] };
}

/** What is different between two states of a record, by domain; in the order of names, so that locks are taken in one order. */
export function changesBetween(
  before: MailRecord | undefined,
  after: MailRecord | undefined,
  more: readonly DomainChange[] = [],
): DomainChange[] {
  const changes = new Map<string, DomainChange>();
  const add = ({ domain, ...rest }: DomainChange, sign = 1): void => {
    const sum = changes.get(domain) ?? { domain, active: 0, inFlight: 0, held: 0 };
    changes.set(domain, {
      ...sum,
      ...rest,
      active: sum.active + sign * rest.active,
      inFlight: sum.inFlight + sign * rest.inFlight,
      held: sum.held + sign * rest.held,
    });
  };
  for (const entry of after?.entries ?? []) add(standingOf(entry));
  for (const entry of before?.entries ?? []) add(standingOf(entry), -1);
  for (const one of more) add(one);
  return [...changes.values()].filter(isChange).sort((a, b) => (a.domain < b.domain ? -1 : 1));
}

function standingOf({ entry: { domain, recipients }, status }: RecordEntry): DomainChange {
  const inFlight = status === 'in-flight' ? recipients.length : 0;
  const held = status === 'in-flight' ? 0 : recipients.filter((one) => one.held).length;
  return { domain, active: recipients.length, inFlight, held };
}

function isChange({ active, inFlight, held, counts, attempt }: DomainChange): boolean {
  return active !== 0 || inFlight !== 0 || held !== 0 || counts !== undefined || attempt !== undefined;
}

/** What an attempt says of a domain. */
export function attemptChange({ domain, tally, state, failure }: EntryResult, at: number): DomainChange {
  const attempt = state && { state, at, ...(failure && { failure }) };
  return { domain, active: 0, inFlight: 0, held: 0, counts: countsOf(tally), ...(attempt && { attempt }) };
}

/** Who has entries of the message in flight. */
export function holderOf({ entries }: MailRecord): string | undefined {
  return entries.find(({ status }) => status === 'in-flight')?.holder;
}

/** When an entry is tried again; undefined while it does not wait for a retry. */
export function retryAt({ status, kind, dueAt }: RecordEntry): number | undefined {
  return status === 'waiting' && kind !== 'new' ? dueAt : undefined;
}
