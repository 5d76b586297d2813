/**
 * The contract of every queue, whatever stores the mail: it takes responsibility for messages,
 * tries them until each recipient is settled, and lets an operator look and intervene. Everything
 * is asynchronous and nothing assumes one process or one file.
 *
 * At least once: a message is attempted again when a process ended between the server's 250 and the
 * commit of that fact, and only then.
 */
import type { Failure } from '../core/failure.js';
import type { DeliveryOutcome } from '../core/outcome.js';
import type { MailQueue } from '../delivery/mail-queue.js';
import type { AttemptNote, Redirection } from './queue-entry.js';

export interface DeliveryQueue extends MailQueue {
  /**
   * Begins to deliver what is due, now and from now on; at once frees what dead processes of this
   * host had claimed. Waiting does not keep the process alive, so that a script ends by itself and
   * what it stored is delivered by the next process; `keepAlive` is for a process that has nothing
   * else to do. Calling it again changes nothing.
   *
   * @throws {Error} after `close()`
   */
  start(options?: { readonly keepAlive?: boolean }): void;
  /** Tries everything that is due now, each entry once, and resolves with the outcomes. For cron, serverless and tests. */
  runDue(): Promise<DeliveryOutcome[]>;
  /** Claims nothing more, waits for what is in flight, and lets go of the store. The deliverer and the database stay the app's to close. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;

  /** What is in the queue, oldest first, a page at a time. */
  show(filter?: ShowFilter): Promise<QueuePage>;
  /** Makes waiting mail due. Such an attempt is one on top: it does not count against `maxRetries`. Default `all`. */
  deliverNow(which?: Which): Promise<Affected>;
  /** Deletes mail. Nobody is told. */
  remove(which: Which): Promise<Affected>;
  /** Ends the waiting: the recipients fail as if their time were over, and the sender gets a bounce. */
  bounce(which: Which): Promise<Affected>;
  /**
   * Sends mail another way from now on: through one relay, or the way of another domain. Without
   * `to`: its own way again.
   *
   * @throws {RouteConfigError} for a relay that the deliverer does not know
   */
  redirect(which: Which, to?: string | Redirection): Promise<Affected>;
  /** Puts held mail, which may have arrived already, back to be tried. `remove({ status: 'held' })` drops it. */
  release(which: Which): Promise<Affected>;
  /** No more attempts for a domain, or at all; new mail is taken as before. Stored: it survives a restart. */
  suspend(domain?: string): Promise<Suspension>;
  resume(domain?: string): Promise<Suspension>;
  hostStatus(domain: string): Promise<HostStatus>;
  topHosts(options?: TopHostsOptions): Promise<HostStatus[]>;
  counters(): Promise<QueueCounters>;
}

/** Where an entry, the part of a message that goes to one domain, stands. */
export type EntryStatus = 'waiting' | 'in-flight' | 'held';

/** All that are given must hold. */
export interface QueueFilter {
  /** The id of a message. */
  readonly id?: string;
  /** The domain of recipients. */
  readonly domain?: string;
  /** The envelope sender, exactly; `''` for bounces. */
  readonly from?: string;
  /** In the queue for longer than this. */
  readonly olderThanMs?: number;
  readonly status?: EntryStatus;
}

/** `all` must be said: a filter left empty by mistake must not delete a queue. */
export type Which = 'all' | QueueFilter;

export interface ShowFilter extends QueueFilter {
  /** Entries a page, 1 to 1000. Default 100. */
  readonly limit?: number;
  /** `next` of the page before. */
  readonly after?: string;
}

export interface QueuePage {
  readonly entries: readonly ShownEntry[];
  /** Where the next page begins; absent on the last one. */
  readonly next?: string;
}

/** The part of a message that goes to one domain. Times in milliseconds since the epoch. */
export interface ShownEntry {
  readonly id: string;
  readonly domain: string;
  readonly from: string;
  /** Bytes of the message. */
  readonly size: number;
  readonly arrivalAt: number;
  readonly status: EntryStatus;
  readonly retries: number;
  /** Absent while held. */
  readonly nextAttemptAt?: number;
  readonly via?: Redirection;
  readonly recipients: readonly ShownRecipient[];
}

export interface ShownRecipient {
  readonly recipient: string;
  readonly attempts: number;
  readonly held: boolean;
  readonly last?: Failure;
  readonly history: readonly AttemptNote[];
}

/** What a verb did. */
export interface Affected {
  /** Parts of messages, each for one domain. */
  readonly entries: number;
  readonly recipients: number;
  /** Entries that fit but were being delivered at that moment: left alone. */
  readonly inFlight: number;
}

export interface Suspension {
  /** Absent: all domains. */
  readonly domain?: string;
  readonly suspended: boolean;
  /** Whether this changed anything. */
  readonly changed: boolean;
}

/** Since the queue was made; all by recipient, except `softBounces`, which counts events. */
export interface DeliveryCounters {
  readonly delivered: number;
  /** Attempts that ended with "not now", each recipient each time. */
  readonly softBounces: number;
  readonly hardBounces: {
    readonly dns: number;
    readonly '5xx': number;
    readonly expired: number;
    readonly other: number;
  };
  readonly discarded: number;
  /** Deleted by hand. */
  readonly removed: number;
}

export interface QueueCounters extends DeliveryCounters {
  /** Recipients in the queue, those in flight and those held included. */
  readonly active: number;
  readonly inFlight: number;
  readonly held: number;
  /** Whether everything is suspended. */
  readonly suspended: boolean;
}

/** What is known of a recipient domain. Times in milliseconds since the epoch. */
export interface HostStatus extends DeliveryCounters {
  readonly domain: string;
  /** By the last attempt. */
  readonly state: 'up' | 'down' | 'unknown';
  readonly suspended: boolean;
  readonly active: number;
  readonly inFlight: number;
  readonly held: number;
  /** Arrival of the oldest message that waits, which what is held or in flight does not. */
  readonly oldestAt?: number;
  readonly nextAttemptAt?: number;
  readonly lastAttemptAt?: number;
  readonly lastFailure?: Failure;
}

export interface TopHostsOptions {
  /** Default `active`. */
  readonly by?: 'active' | 'inFlight' | 'delivered' | 'softBounces' | 'hardBounces';
  /** 1 to 1000. Default 20. */
  readonly limit?: number;
}
