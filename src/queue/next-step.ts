/**
 * What follows an attempt: the whole policy of the queue as one pure function. A recipient is done,
 * is tried again at a time, has failed and is bounced, or is held; the entry goes on with those
 * still open.
 */
import { expiry, retryDelayMs, type BounceProfile } from '../core/bounce-profile.js';
import { recipientKey } from '../core/address.js';
import type { Failure } from '../core/failure.js';
import type { Attempt, DeliveryOutcome, RecipientOutcome } from '../core/outcome.js';
import type { AttemptNote, EntryRecipient, QueueEntry } from './queue-entry.js';

/**
 * What to do about a recipient whose copy may have arrived: try again (it may come twice), hold it
 * for an operator, or take it for delivered (it may be lost).
 */
export type QueuePossiblyDelivered = 'queue' | 'report' | 'assume-delivered';

export interface StepInput {
  readonly entry: QueueEntry;
  /** Of a delivery that had the open recipients of this entry among its own. */
  readonly outcome: DeliveryOutcome;
  readonly profile: BounceProfile;
  readonly onPossiblyDelivered: QueuePossiblyDelivered;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** In [0, 1); the same for entries of one message, so that they come back together. */
  readonly dice: number;
}

/** A recipient that will not be tried again. */
export interface FailedRecipient {
  readonly recipient: string;
  readonly failure: Failure;
  readonly attempts: number;
  readonly lastAttemptAt?: number;
  readonly remoteMta?: string;
}

export interface Step {
  readonly next:
    | { readonly then: 'done' }
    | { readonly then: 'again'; readonly at: number; readonly entry: QueueEntry }
    | { readonly then: 'held'; readonly entry: QueueEntry };
  readonly delivered: readonly string[];
  readonly discarded: readonly string[];
  /** To be bounced. */
  readonly failed: readonly FailedRecipient[];
  /** To be tried again, as they are in the entry. */
  readonly deferred: readonly EntryRecipient[];
  /** Newly held. */
  readonly held: readonly EntryRecipient[];
  /** Milliseconds since the epoch: the latest that the schedule can end, by time or by retries. */
  readonly retryUntilAt: number;
}

/** Tries that an entry remembers of each recipient. */
const HISTORY = 20;

export function nextStep({ entry, outcome, profile, onPossiblyDelivered, now, dice }: StepInput): Step {
  const results = byRecipient(outcome);
  const firstAttemptAt = entry.firstAttemptAt ?? now;
  const schedule = nextRetry({ ...entry, firstAttemptAt }, profile, now, dice);
  const timeUp = firstAttemptAt + profile.maxQueueTimeMs;
  const retryUntilAt = schedule ? Math.min(timeUp, lastRetryAt(schedule, profile)) : timeUp;
  const delivered: string[] = [];
  const discarded: string[] = [];
  const failed: FailedRecipient[] = [];
  const deferred: EntryRecipient[] = [];
  const held: EntryRecipient[] = [];
  const left: EntryRecipient[] = [];

  for (const before of entry.recipients) {
    const result = before.held ? undefined : results.get(recipientKey(before.recipient));
    const meaning = result && meaningOf(result, onPossiblyDelivered);
    switch (meaning) {
      case undefined:
        // Held, or no part of this delivery.
        left.push(before);
        break;
      case 'delivered':
        delivered.push(before.recipient);
        break;
      case 'discarded':
        discarded.push(before.recipient);
        break;
      default: {
        const after = afterTry(before, result as Failing, outcome.attempts, now);
        if (meaning === 'hold') {
          const waiting: EntryRecipient = { ...after, held: true };
          held.push(waiting);
          left.push(waiting);
        } else if (meaning === 'retry' && schedule) {
          deferred.push(after);
          left.push(after);
        } else failed.push(asFailed(after, meaning === 'retry' ? expiry(profile, after.last) : undefined));
      }
    }
  }
  return { next: nextOf(), delivered, discarded, failed, deferred, held, retryUntilAt };

  function nextOf(): Step['next'] {
    if (left.length === 0) return { then: 'done' };
    const { scheduledAt: _, ...rest } = entry;
    if (!schedule || left.every(({ held }) => held)) {
      return { then: 'held', entry: { ...rest, firstAttemptAt, recipients: left } };
    }
    const { at, retries } = schedule;
    return { then: 'again', at, entry: { ...rest, firstAttemptAt, retries, recipients: left } };
  }
}

const found = new WeakMap<DeliveryOutcome, ReadonlyMap<string, RecipientOutcome>>();

/** Found once for each outcome: a message has an entry for each domain, and there may be thousands. */
function byRecipient(outcome: DeliveryOutcome): ReadonlyMap<string, RecipientOutcome> {
  let results = found.get(outcome);
  if (!results) {
    results = new Map(outcome.recipients.map((result) => [recipientKey(result.recipient), result]));
    found.set(outcome, results);
  }
  return results;
}

type Failing = Extract<RecipientOutcome, { failure: Failure }>;

function meaningOf(
  { status }: RecipientOutcome,
  onPossiblyDelivered: QueuePossiblyDelivered,
): 'delivered' | 'discarded' | 'retry' | 'fail' | 'hold' {
  switch (status) {
    case 'delivered':
    case 'discarded':
      return status;
    case 'queue-for-later':
      return 'retry';
    case 'rejected':
      return 'fail';
    case 'possibly-delivered':
      if (onPossiblyDelivered === 'assume-delivered') return 'delivered';
      return onPossiblyDelivered === 'report' ? 'hold' : 'retry';
  }
}

/**
 * When the entry is tried again; undefined when its schedule has ended. The last wait is cut, so
 * that the last attempt is made at the limit and not never. A clock that was set back counts as no
 * time passed.
 */
function nextRetry(
  { retries, firstAttemptAt, scheduledAt }: QueueEntry & { readonly firstAttemptAt: number },
  profile: BounceProfile,
  now: number,
  dice: number,
): { readonly at: number; readonly retries: number } | undefined {
  const left = profile.maxQueueTimeMs - Math.max(0, now - firstAttemptAt);
  if (left <= 0) return undefined;
  if (scheduledAt !== undefined && scheduledAt > now) {
    return { at: Math.min(scheduledAt, now + profile.maxRetryMs), retries };
  }
  if (retries >= profile.maxRetries) return undefined;
  return { at: now + Math.min(retryDelayMs(profile, retries + 1, dice), left), retries: retries + 1 };
}

/** When the last retry is at the latest: what the dice will say is not known yet. */
function lastRetryAt(
  { at, retries }: { readonly at: number; readonly retries: number },
  profile: BounceProfile,
): number {
  let latest = at;
  for (let retry = retries + 1; retry <= profile.maxRetries; retry++) {
    const wait = retryDelayMs(profile, retry, 1);
    if (wait >= Math.round(profile.maxRetryMs)) return latest + wait * (profile.maxRetries - retry + 1);
    latest += wait;
  }
  return latest;
}

function afterTry(before: EntryRecipient, result: Failing, attempts: readonly Attempt[], now: number): EntryRecipient {
  const mine = attempts.filter(({ recipients }) => recipients.includes(result.recipient));
  const notes = mine.flatMap(({ relay, startedAt, failure, refused }): AttemptNote[] => {
    const own = refused?.find(({ recipient }) => recipient === result.recipient)?.failure ?? failure;
    return own ? [{ at: startedAt, relay, failure: own }] : [];
  });
  const last = mine.at(-1);
  return {
    ...before,
    attempts: before.attempts + 1,
    lastAttemptAt: last?.startedAt ?? now,
    last: result.failure,
    ...(last && { remoteMta: last.host }),
    history: [...before.history, ...(notes.length > 0 ? notes : [{ at: now, failure: result.failure }])].slice(
      -HISTORY,
    ),
  };
}

function asFailed(
  { recipient, attempts, lastAttemptAt, remoteMta, last }: EntryRecipient,
  end?: Failure,
): FailedRecipient {
  return {
    recipient,
    failure: end ?? last ?? { kind: 'expired', message: 'not delivered' },
    attempts,
    ...(lastAttemptAt !== undefined && { lastAttemptAt }),
    ...(remoteMta !== undefined && { remoteMta }),
  };
}

/** The failure of a recipient whose waiting an operator has ended. */
export function bouncedByHand(recipient: EntryRecipient): FailedRecipient {
  const { last } = recipient;
  const message = 'ended by the operator';
  return asFailed(recipient, { kind: 'expired', enhanced: '5.4.7', message, ...(last && { last }) });
}
