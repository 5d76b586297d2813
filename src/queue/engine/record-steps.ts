/**
 * What is done to a message in the queue, as pure functions from record to record: claimed, settled,
 * altered, given back. They know the rules; who stores the result knows how to be the only one.
 */
import { noCounts } from '../domain-tally.js';
import type { Alteration, ClaimBy, ClaimedEntry, EntryResult } from '../queue-store.js';
import { attemptChange, keyOf, type DomainChange, type MailRecord, type RecordEntry } from './mail-record.js';

/** Entries of the record that may be claimed are, with a token that no claim before had. */
export function claimEntries(
  record: MailRecord,
  seq: number,
  { holder, leaseUntil }: ClaimBy,
  mayClaim: (entry: RecordEntry) => boolean,
): { readonly after: MailRecord; readonly claimed: readonly ClaimedEntry[] } {
  const claimed: ClaimedEntry[] = [];
  const entries = record.entries.map((one): RecordEntry => {
    if (!mayClaim(one)) return one;
    const token = one.token + 1;
    claimed.push({ key: keyOf(seq, one.n), token, entry: one.entry });
    return { ...one, status: 'in-flight', token, holder, leaseUntil };
  });
  return { after: { ...record, entries }, claimed };
}

/** Whether a claim of this entry holds no more: nothing was heard of its holder for as long as its lease. */
export function isSilent({ status, leaseUntil = 0 }: RecordEntry, now: number): boolean {
  return status === 'in-flight' && leaseUntil <= now;
}

export interface SettledRecord {
  /** Undefined: nothing is left of the message. */
  readonly after: MailRecord | undefined;
  readonly lost: readonly number[];
  readonly changes: readonly DomainChange[];
}

export function settleEntries(
  record: MailRecord,
  seq: number,
  results: readonly EntryResult[],
  now: number,
): SettledRecord {
  const lost: number[] = [];
  const changes: DomainChange[] = [];
  const byKey = new Map(record.entries.map((one) => [keyOf(seq, one.n), one]));
  for (const result of results) {
    const one = byKey.get(result.key);
    const settled = one && settleEntry(one, result, now, changes);
    if (one?.token !== result.token || one.status !== 'in-flight') lost.push(result.key);
    if (settled) byKey.set(result.key, settled);
    else byKey.delete(result.key);
  }
  const entries = [...byKey.values()];
  return { after: entries.length > 0 ? { ...record, entries } : undefined, lost, changes };
}

function settleEntry(
  one: RecordEntry,
  result: EntryResult,
  now: number,
  changes: DomainChange[],
): RecordEntry | undefined {
  if (one.token !== result.token || one.status !== 'in-flight') return withoutDelivered(one, result.gone, changes);
  changes.push(attemptChange(result, now));
  const { next } = result;
  if (next.then === 'done') return undefined;
  // A late result of somebody else may have removed some meanwhile.
  const still = new Set(one.entry.recipients.map(({ recipient }) => recipient));
  const recipients = next.entry.recipients.filter(({ recipient }) => still.has(recipient));
  if (recipients.length === 0) return undefined;
  const entry = { ...next.entry, recipients };
  const { n, token } = one;
  return next.then === 'held'
    ? { n, token, entry, status: 'held', kind: 'retry', dueAt: now, setAt: now }
    : { n, token, entry, status: 'waiting', kind: 'retry', dueAt: next.at, setAt: now };
}

/** What a late result says was delivered is never tried again, whoever has the entry now. */
function withoutDelivered(one: RecordEntry, gone: readonly string[], changes: DomainChange[]): RecordEntry | undefined {
  const { domain } = one.entry;
  const recipients = one.entry.recipients.filter(({ recipient }) => !gone.includes(recipient));
  const delivered = one.entry.recipients.length - recipients.length;
  if (delivered === 0) return one;
  changes.push({ domain, active: 0, inFlight: 0, held: 0, counts: { ...noCounts(), delivered } });
  // Who has it now finds it gone, as it would a claim that was taken over.
  if (recipients.length === 0) return undefined;
  return { ...one, entry: { ...one.entry, recipients } };
}

/** Un-claims entries: due as before. Results that still come are late. */
export function unclaim(record: MailRecord, isMeant: (entry: RecordEntry) => boolean): MailRecord {
  const entries = record.entries.map((one): RecordEntry => {
    if (one.status !== 'in-flight' || !isMeant(one)) return one;
    const { holder: _holder, leaseUntil: _lease, ...rest } = one;
    const allHeld = one.entry.recipients.every(({ held }) => held);
    return { ...rest, token: one.token + 1, status: allHeld ? 'held' : 'waiting' };
  });
  return { ...record, entries };
}

export function renewLeases(
  record: MailRecord,
  seq: number,
  leaseUntil: number,
  claimed: readonly Pick<ClaimedEntry, 'key' | 'token'>[],
): { readonly after: MailRecord; readonly lost: readonly number[] } {
  const tokens = new Map(claimed.map(({ key, token }) => [key, token]));
  const entries = record.entries.map((one): RecordEntry => {
    const key = keyOf(seq, one.n);
    if (one.status !== 'in-flight' || tokens.get(key) !== one.token) return one;
    tokens.delete(key);
    return { ...one, leaseUntil };
  });
  return { after: { ...record, entries }, lost: [...tokens.keys()] };
}

/** Due before its time. New mail stays new. */
export function makeDue(one: RecordEntry, now: number): RecordEntry {
  const { scheduledAt = one.dueAt } = one.entry;
  if (one.kind === 'new') return { ...one, dueAt: now, setAt: now };
  return { ...one, kind: 'woken', dueAt: now, setAt: now, entry: { ...one.entry, scheduledAt } };
}

/**
 * What an operator's verb makes of an entry that is not in flight; `same` if there is nothing to do,
 * undefined if it is removed.
 */
export function alterEntry(alteration: Alteration, one: RecordEntry, now: number): RecordEntry | 'same' | undefined {
  switch (alteration.do) {
    case 'remove':
      return undefined;
    case 'make-due':
      if (one.status !== 'waiting') return 'same';
      return one.dueAt > now ? makeDue(one, now) : one;
    case 'release': {
      if (one.status !== 'held' && !one.entry.recipients.some(({ held }) => held)) return 'same';
      const recipients = one.entry.recipients.map(({ held: _, ...rest }) => rest);
      return { ...one, status: 'waiting', kind: 'retry', dueAt: now, setAt: now, entry: { ...one.entry, recipients } };
    }
    case 'redirect': {
      const { via: _, ...rest } = one.entry;
      return { ...one, entry: alteration.via ? { ...rest, via: alteration.via } : rest };
    }
  }
}
