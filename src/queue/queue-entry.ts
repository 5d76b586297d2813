/**
 * What a queue keeps of a message: plain JSON-safe data with a version number, the same for every
 * store, so that a store never looks inside and versions can run side by side.
 *
 * One message, and one entry for each domain among its recipients: retries, shares and verbs work
 * by domain, and entries of one message that are due together still travel together.
 */
import type { BounceProfile } from '../core/bounce-profile.js';
import type { Failure } from '../core/failure.js';
import { addressees } from '../delivery/plan-batches.js';
import type { Envelope } from '../delivery/relay-transport.js';
import type { Redirection } from '../delivery/redirection.js';

export const ENTRY_VERSION = 1;

export type { Redirection };

/** A message without its body. Times in milliseconds since the epoch. */
export interface QueuedMessage extends Omit<Envelope, 'to'> {
  readonly v: typeof ENTRY_VERSION;
  readonly id: string;
  /** What `submit` was given, over the queue's own and the domain's. */
  readonly profile?: Partial<BounceProfile>;
  readonly arrivalAt: number;
  /** Bytes of the body. */
  readonly size: number;
}

/** One try for one recipient that did not end in delivery. */
export interface AttemptNote {
  readonly at: number;
  /** Absent if no relay was reached for. */
  readonly relay?: string;
  readonly failure: Failure;
}

export interface EntryRecipient {
  readonly recipient: string;
  /** Deliveries that did not settle it. */
  readonly attempts: number;
  readonly lastAttemptAt?: number;
  readonly last?: Failure;
  /** The host that said so, for the bounce. */
  readonly remoteMta?: string;
  /** May have arrived: waits for an operator. */
  readonly held?: true;
  /** The latest tries, oldest first. */
  readonly history: readonly AttemptNote[];
}

/** The open recipients of one message in one domain. */
export interface QueueEntry {
  readonly v: typeof ENTRY_VERSION;
  /** Canonical; `''` for what is no address. */
  readonly domain: string;
  readonly recipients: readonly EntryRecipient[];
  /** Scheduled retries so far. */
  readonly retries: number;
  readonly firstAttemptAt?: number;
  /**
   * Set while the entry was made due before its time, by a success to the domain or by hand: the
   * time that the schedule says. The attempt is one on top and counts as no retry.
   */
  readonly scheduledAt?: number;
  readonly via?: Redirection;
}

/** The entries of an envelope, in the order in which its domains first occur. */
export function entriesFor({ to }: Envelope): QueueEntry[] {
  const byDomain = new Map<string, EntryRecipient[]>();
  for (const { address, domain = '' } of addressees(to)) {
    const recipient: EntryRecipient = { recipient: address, attempts: 0, history: [] };
    const others = byDomain.get(domain);
    if (others) others.push(recipient);
    else byDomain.set(domain, [recipient]);
  }
  return [...byDomain].map(([domain, recipients]) => ({ v: ENTRY_VERSION, domain, recipients, retries: 0 }));
}

/**
 * Reads what was stored. Undefined for what is damaged: it is set aside, and never guessed at.
 *
 * @throws {NewerEntryError} for what a newer version of this package wrote: that one will see to it
 */
export function readEntry(json: unknown): QueueEntry | undefined {
  return asEntry(parsed(json));
}

/** As `readEntry`, for a message. */
export function readMessage(json: unknown): QueuedMessage | undefined {
  return asMessage(parsed(json));
}

/** As `readEntry`, for what a store has parsed. */
export function asEntry(value: unknown): QueueEntry | undefined {
  const entry = versioned(value) as QueueEntry | undefined;
  if (!entry || typeof entry.domain !== 'string' || !Number.isInteger(entry.retries)) return undefined;
  if (!Array.isArray(entry.recipients) || entry.recipients.length === 0) return undefined;
  if (![entry.firstAttemptAt, entry.scheduledAt].every(isTimeIfAny) || !isWayIfAny(entry.via)) return undefined;
  return entry.recipients.every(isRecipient) ? entry : undefined;
}

/** As `asEntry`, for a message. */
export function asMessage(value: unknown): QueuedMessage | undefined {
  const message = versioned(value) as QueuedMessage | undefined;
  if (typeof message?.id !== 'string' || typeof message.from !== 'string') return undefined;
  return Number.isFinite(message.arrivalAt) && Number.isInteger(message.size) ? message : undefined;
}

export class NewerEntryError extends Error {
  override readonly name = 'NewerEntryError';
}

function parsed(json: unknown): unknown {
  if (typeof json !== 'string') return undefined;
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** @throws {NewerEntryError} */
export function versioned(value: unknown): object | undefined {
  const { v } = (value ?? {}) as { readonly v?: number };
  if (typeof value !== 'object' || v === undefined || !Number.isInteger(v)) return undefined;
  if (v > ENTRY_VERSION) throw new NewerEntryError(`entry of version ${String(v)}`);
  return value ?? undefined;
}

function isTimeIfAny(at: unknown): boolean {
  return at === undefined || Number.isFinite(at);
}

function isWayIfAny(via: unknown): boolean {
  if (via === undefined) return true;
  const { relay, domain } = (via ?? {}) as Partial<Record<'relay' | 'domain', unknown>>;
  return typeof (relay ?? domain) === 'string';
}

function isRecipient(value: unknown): boolean {
  const { recipient, attempts, history } = (value ?? {}) as Partial<EntryRecipient>;
  return typeof recipient === 'string' && Number.isInteger(attempts) && Array.isArray(history);
}
