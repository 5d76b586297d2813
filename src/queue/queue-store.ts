/**
 * The port behind a queue that claims its own work: where messages and entries are kept. Each
 * method is one atomic step, durable when its promise resolves; what needs to happen together is
 * one call.
 */
import type { Failure } from '../core/failure.js';
import type { Message } from '../delivery/relay-transport.js';
import type {
  EntryStatus,
  HostStatus,
  QueueCounters,
  QueueFilter,
  ShownEntry,
  Suspension,
  TopHostsOptions,
} from './delivery-queue.js';
import type { DomainShares } from './domain-shares.js';
import type { Step } from './next-step.js';
import type { QueuedMessage, QueueEntry, Redirection } from './queue-entry.js';

/** A message to be stored. */
export interface NewMail {
  readonly message: Omit<QueuedMessage, 'size'>;
  readonly body: Message;
  readonly entries: readonly QueueEntry[];
  /** Whether the app named the message, so that the same name again is the same message, for a while after its end too. */
  readonly named: boolean;
}

/** Who claims, and until when if nothing more is heard of it. */
export interface ClaimBy {
  readonly holder: string;
  readonly leaseUntil: number;
}

/** An entry and the right to settle it: `token` differs with each claim. */
export interface ClaimedEntry {
  readonly key: number;
  readonly token: number;
  readonly entry: QueueEntry;
}

/** The entries of one message that go out together. */
export interface Claim {
  readonly message: QueuedMessage;
  readonly body: Message;
  readonly entries: readonly ClaimedEntry[];
}

export type Put = {
  /** Bytes of the body. */
  readonly size: number;
  /** What was claimed along with it; entries of suspended domains are not. */
  readonly claimed: readonly ClaimedEntry[];
} & (
  | {
      readonly known: false;
      /** What was stored: the app may do with its own copy what it likes. */
      readonly body: Message;
    }
  /** The name was given before: nothing was stored. */
  | { readonly known: true }
);

export interface ClaimRequest {
  readonly by: ClaimBy;
  readonly now: number;
  /** Retries due by then. What was not tried yet is due `now`, so that the bounces of what was claimed before are. */
  readonly dueBy: number;
  /** One claim at most for each, which prefers mail not tried yet, or mail that waits for a retry. Read when the claim is made. */
  readonly turns: () => readonly ('new' | 'retry')[];
  /** Domains that have their share of the workers are passed over. */
  readonly shares: DomainShares;
}

export type HardBounceKind = 'dns' | '5xx' | 'expired' | 'other';

/** The result of an attempt for one entry. */
export interface EntryResult {
  readonly key: number;
  readonly token: number;
  readonly domain: string;
  /** Recipients that the entry had when it was claimed: fewer by now, and a late result has removed some. */
  readonly had: number;
  /** What of it holds even if the lease was lost: these are never tried again. */
  readonly gone: readonly string[];
  readonly next: Step['next'];
  readonly tally: Tally;
  /** The domain took this mail: makes due what was put off before this time, some of it. */
  readonly wakeBefore?: number;
  /** What the last attempt says of the domain; absent: nothing. */
  readonly state?: 'up' | 'down';
  readonly failure?: Failure;
}

/** Recipients by what became of them. */
export interface Tally {
  readonly delivered: number;
  readonly discarded: number;
  readonly softBounces: number;
  readonly hardBounces: Readonly<Partial<Record<HardBounceKind, number>>>;
}

export interface Settlement {
  readonly now: number;
  readonly results: readonly EntryResult[];
  /** Bounces and warnings, stored in the same step, unless it `isLate`. */
  readonly mail: readonly NewMail[];
}

export interface Settled {
  /** Keys of entries whose lease had gone to somebody else. */
  readonly lost: readonly number[];
  /** Whether nothing is left of the message. */
  readonly done: boolean;
  readonly woken: readonly { readonly domain: string; readonly entries: number }[];
}

/**
 * Whether a settlement came too late for each of its entries. Then somebody else's result is theirs:
 * its mail is not stored, and nothing is told of it. Where only some were lost its mail is stored as
 * a whole: a bounce too many is better than one too few.
 */
export function isLate({ results }: Settlement, lost: readonly number[]): boolean {
  return results.length > 0 && lost.length === results.length;
}

export type Alteration =
  | { readonly do: 'make-due' | 'remove' | 'release' }
  | { readonly do: 'redirect'; readonly via: Redirection | undefined };

/** A part of the queue, in the order of arrival: `filter` within a window that begins behind `after`. */
export interface Window {
  readonly filter: QueueFilter;
  readonly now: number;
  readonly after: number;
  /** The last key that is meant. Absent: whatever there is. */
  readonly upTo?: number;
  readonly limit: number;
}

/** `next`: where the next window begins; absent at the end of the queue. */
export interface Altered {
  readonly entries: number;
  readonly recipients: number;
  readonly inFlight: number;
  readonly next?: number;
}

/** Something stored that cannot be read. */
export interface SetAside {
  readonly id?: string;
  readonly reason: string;
}

export interface QueueStore {
  put(mail: NewMail, claim: { readonly by: ClaimBy; readonly now: number } | undefined): Promise<Put>;
  claim(request: ClaimRequest): Promise<Claim[]>;
  /** Claims what fits a filter, whether due or not, held ones too; the in-flight are counted. */
  claimMatching(by: ClaimBy, window: Window): Promise<Altered & { readonly claims: readonly Claim[] }>;
  settle(settlement: Settlement): Promise<Settled>;
  /** Un-claims what was not tried: due as before. */
  giveBack(entries: readonly ClaimedEntry[]): Promise<void>;
  /** Answers the keys whose lease has gone to somebody else. */
  renew(by: ClaimBy, entries: readonly ClaimedEntry[]): Promise<number[]>;
  /** Frees what is claimed by holders that are dead, or silent for longer than their lease. */
  freeClaims(
    now: number,
    isDead: (holder: string) => boolean,
  ): Promise<{ readonly dead: number; readonly silent: number }>;
  /** When the next claim could find something; undefined if nothing waits. */
  nextDueAt(shares: DomainShares): Promise<number | undefined>;
  /** The key of the newest entry, 0 if there is none: what is stored later has a larger one. */
  newest(): Promise<number>;
  alter(alteration: Alteration, window: Window): Promise<Altered>;
  show(window: Window): Promise<{ readonly entries: readonly ShownEntry[]; readonly next?: number }>;
  suspend(domain: string | undefined, suspended: boolean): Promise<Suspension>;
  hostStatus(domain: string): Promise<HostStatus>;
  topHosts(options: Required<TopHostsOptions>): Promise<HostStatus[]>;
  counters(): Promise<QueueCounters>;
  /** Work of no hurry: forgets old names, sweeps what a dead process left half-stored, mends due times after the clock was set back. */
  tidy(now: number): Promise<void>;
  close(): Promise<void>;
  /** Called for what is put aside; set by the queue. */
  onSetAside?: (what: SetAside) => void;
}

export const STATUSES: readonly EntryStatus[] = ['waiting', 'in-flight', 'held'];
