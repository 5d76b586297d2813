/**
 * What a simulation is asked, and what it answers.
 */
import type { BounceProfile } from '../core/bounce-profile.js';
import type { Failure } from '../core/failure.js';
import type { DeliveryOutcome, RecipientOutcome, RecipientStatus } from '../core/outcome.js';
import type { DnsLookup } from '../delivery/dns-lookup.js';
import type { ManualClock } from './manual-clock.js';
import type { Script } from './scripted-sessions.js';

export interface SimulateOptions {
  /** How many messages, one recipient each. Default 1. */
  readonly messages?: number;
  /** Addresses or domains; with several, messages take turns. Default `user@example.com`. */
  readonly to?: string | readonly string[];
  /** Relays that nobody answers at. */
  readonly down?: readonly string[];
  /** What relays do, by id, in the notation of `ScriptedTransport`; the others accept. */
  readonly script?: Readonly<Record<string, Script>>;
  /** Default: the same dice each run. */
  readonly random?: () => number;
  /** Time between two messages. Default 1,000 ms. */
  readonly intervalMs?: number;
  /** Default: a new one. A script's function may read it, to let a relay come back. */
  readonly clock?: ManualClock;
  /** Default: every domain has one exchange, called `MX of example.com`. */
  readonly dns?: DnsLookup;
  /** How queued mail is tried again. Default AsyncOS's. */
  readonly profile?: Partial<BounceProfile>;
}

/** What a relay got: messages it took, and attempts at it with those that failed. */
export interface SimulatedRelay {
  readonly delivered: number;
  readonly attempts: number;
  readonly failed: number;
}

/** Mail that no relay took at first, and what becomes of it if the relays go on as they do. Times in milliseconds since the epoch. */
export interface SimulatedQueueEntry {
  readonly recipient: string;
  /** Messages for this recipient that were queued. */
  readonly messages: number;
  readonly failure: Failure;
  /** When a message like them was first tried; its retries are these. */
  readonly queuedAt: number;
  /** When it is tried again. */
  readonly retriesAt: readonly number[];
  readonly end: RecipientOutcome;
}

/** JSON-safe. */
export interface Simulation {
  readonly messages: number;
  readonly statuses: Readonly<Record<RecipientStatus, number>>;
  /** By relay id, in the order of the table; exchanges found by DNS follow. */
  readonly relays: Readonly<Record<string, SimulatedRelay>>;
  /** By recipient. */
  readonly queued: readonly SimulatedQueueEntry[];
  /** One for each message, without its retries. */
  readonly outcomes: readonly DeliveryOutcome[];
}
