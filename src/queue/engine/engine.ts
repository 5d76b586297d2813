/**
 * The port behind a queue whose jobs a job engine keeps (BullMQ on Redis, pg-boss on PostgreSQL),
 * and how mail becomes jobs of it.
 *
 * - **One job for each message**, an alarm: it says "look at this message then", and nothing else.
 *   What is to be done stands in the message's record (`MailRecord`), with an entry for each domain.
 *   So entries due together travel together, a job that comes twice or too early does no harm, and
 *   verbs change records without ever touching a job that somebody runs.
 * - **The engine does what engines do**: it keeps jobs until their time, hands each to one worker,
 *   and hands it on when that worker does not claim the message soon after. Two lanes, queues
 *   of the engine, keep mail not tried yet apart from what waits for a retry, so that neither
 *   starves the other. Its own count of attempts is made endless: how often is ours to say.
 * - **A record is replaced by who saw its latest version** (`commit` is a compare-and-swap; carried
 *   out twice, as where its answer was lost, it is still one success). That
 *   makes verbs, counters and wake-ups right from any process without locks, and a result counts
 *   only if the token of its claim is still the entry's: a late one removes recipients that were
 *   delivered, and decides nothing else.
 * - **Record first, then job.** Where both are one transaction (PostgreSQL) they never differ.
 *   Where they are two steps (Redis) a crash in between leaves an alarm that rings too early, or
 *   one that `mend` sets again: never mail without an alarm for good.
 * - **One secondary index of ours**: entries by domain, in the order of arrival and, while they
 *   wait, of their time. Verbs and wake-ups find mail by it; nothing is claimed by it.
 * - **Names**: a message's id is unique in the store, and the store remembers the ids given by the
 *   app for a day after the message's end (`REMEMBER_MS`).
 * - **Bodies** up to `INLINE_BYTES` lie with the record, longer ones in a `MessageStore`, put before
 *   the record and removed after it; what a crash leaves of them is swept.
 * - **A domain without room or suspended**: the job is put off, spaced so that about as many come
 *   back as get through (`DomainPace`); `resume` rings at once for what a suspended domain has.
 */
import type { HostStatus, QueueCounters, TopHostsOptions } from '../delivery-queue.js';
import type { Alarm, DomainChange, Lane, MailRecord } from './mail-record.js';

/**
 * A job is its worker's for so long at most, a message for the length of a lease: so what a worker
 * fetched, and died before it could claim it, does not wait for a lease. A job that rings while its
 * message is in flight is put to the end of that.
 */
export const JOB_LEASE_MS = 10_000;

/** Which state of a record is meant. */
export interface RecordState {
  /** Grows with the order of arrival. */
  readonly seq: number;
  /** 0 for a new one, another after every commit. */
  readonly version: number;
  readonly alarm?: Alarm;
}

/** A record as it is stored. */
export interface StoredRecord extends RecordState {
  readonly data: string;
  /** The body, if it was read along with the record and is kept with it. */
  readonly inline?: Uint8Array;
}

/** A message to add. Its entries may be claimed already, which is why it comes with its alarm. */
export interface Arrival {
  readonly record: MailRecord;
  readonly alarm: Alarm | undefined;
  /** Kept with the record. */
  readonly inline?: Uint8Array;
  readonly changes: readonly DomainChange[];
}

/** A new state of a record. All of it happens, or nothing. */
export interface Change {
  readonly before: RecordState;
  /**
   * The version after it, which nobody else would choose: where the answer to a commit was lost and it
   * is carried out again, it finds its own work, and that is a success.
   */
  readonly next: number;
  /** What it held in `before`. */
  readonly from: MailRecord;
  /** Undefined: the message has ended. */
  readonly to: MailRecord | undefined;
  readonly alarm: Alarm | undefined;
  /** `keep`: the job is ours, and the engine brings it up again when its lease ends. `set`: to the alarm, from wherever it is. */
  readonly job: 'keep' | 'set';
  readonly changes: readonly DomainChange[];
  readonly mail: readonly Arrival[];
  readonly now: number;
}

export interface Page {
  /** Entries behind this key. */
  readonly after: number;
  readonly limit: number;
  /** Of one message, or of one domain; else of all. */
  readonly id?: string;
  readonly domain?: string;
}

export interface Suspended {
  readonly all: boolean;
  readonly domains: ReadonlySet<string>;
}

export interface Engine {
  /** Stores a message and its job. Undefined: the id is, or lately was, another's. */
  add(arrival: Arrival): Promise<number | undefined>;
  /** Takes jobs whose time has come; nobody else gets them for `JOB_LEASE_MS`, or for a lease that is shorter. Comes with bodies kept with the record. Jobs of messages that are no more are dropped. */
  fetch(lane: Lane, limit: number): Promise<StoredRecord[]>;
  /** False: the record was changed meanwhile, and nothing was done. */
  commit(change: Change): Promise<boolean>;
  /** The same for what cannot be read: its job rings then, or never again. */
  postpone(stored: RecordState, alarm: Alarm | undefined): Promise<void>;
  read(seqs: readonly number[]): Promise<StoredRecord[]>;
  /** The bodies kept with the records, by number. */
  inline(seqs: readonly number[]): Promise<ReadonlyMap<number, Uint8Array>>;
  /** Keys of entries in the order of arrival, at most `limit`; fewer: there are no more. */
  keys(page: Page): Promise<number[]>;
  /** The key of the newest entry, 0 if there is none. */
  newest(): Promise<number>;
  /** When the first retry to each of these domains is due, of those that have any. */
  retriesAt(domains: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** Messages that wait for a retry to a domain, those due first before others. */
  waiting(domain: string, limit: number): Promise<{ readonly seq: number; readonly dueAt: number }[]>;
  /** Takes the size of the next wake-up of a domain, which doubles; `reset` makes it the first again. */
  takeWake(domain: string): Promise<number>;
  resetWake(domain: string): Promise<void>;
  /** When the first job is due; undefined if there is none. */
  nextAlarmAt(): Promise<number | undefined>;
  /** Who has entries in flight, and which messages these are. */
  holders(): Promise<string[]>;
  heldBy(holder: string, limit: number): Promise<number[]>;
  /** Of one that is dead, and has nothing more. */
  forgetHolder(holder: string): Promise<void>;
  suspended(): Promise<Suspended>;
  /** Answers whether this changed anything. */
  suspend(domain: string | undefined, suspended: boolean): Promise<boolean>;
  hostStatus(domain: string): Promise<HostStatus>;
  topHosts(options: Required<TopHostsOptions>): Promise<HostStatus[]>;
  counters(): Promise<QueueCounters>;
  /** Whether a body of this name belongs to a message. */
  ownsBody(key: string): Promise<boolean>;
  /** Forgets names; sets alarms again whose job is gone; lets the engine look for workers that are silent. */
  mend(now: number): Promise<void>;
  close(): Promise<void>;
}
