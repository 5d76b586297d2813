/**
 * One attempt for one claim: deliver, take the next step for each entry, write to the sender where
 * that is due. What it returns is stored as one settlement, and told only once that is stored.
 */
import { RouteConfigError } from '../core/config-error.js';
import { errorMessage } from '../core/error-message.js';
import type { Failure } from '../core/failure.js';
import type { DeliveryOutcome } from '../core/outcome.js';
import type { Deliverer } from '../delivery/deliverer.js';
import { sharedEnvelope } from '../delivery/mail.js';
import { bounceNotice, delayNotice, type Notice, type NoticeServices } from './bounces/failure-notices.js';
import { bouncedByHand, nextStep, type FailedRecipient, type QueuePossiblyDelivered, type Step } from './next-step.js';
import type { QueueEntry, QueuedMessage } from './queue-entry.js';
import { notTried, withRetries } from './queued-outcome.js';
import type { QueueEvent } from './queue-event.js';
import { profileProblem, type Profiles } from './queue-options.js';
import type { Claim, ClaimedEntry, EntryResult, HardBounceKind, Settlement, Tally } from './queue-store.js';

export interface AttemptServices extends NoticeServices {
  readonly deliverer: Deliverer;
  readonly profiles: Profiles;
  readonly onPossiblyDelivered: QueuePossiblyDelivered;
  readonly delayWarnings: boolean;
}

export interface Attempted {
  readonly outcome: DeliveryOutcome;
  /** For whoever handed the message in: what the queue tries again is queued for later, and when. */
  readonly toSubmitter: DeliveryOutcome;
  readonly settlement: Settlement;
  /** What to tell once the settlement is stored. */
  readonly events: readonly QueueEvent[];
}

/** @throws {Error} if the deliverer takes nothing more; then nothing was tried */
export async function attemptClaim(services: AttemptServices, claim: Claim, signal: AbortSignal): Promise<Attempted> {
  const { deliverer, profiles, onPossiblyDelivered } = services;
  const { message, body } = claim;
  // What may fail comes before the delivery: its result must always be settled.
  const problem = profileProblem(message.profile);
  const own = problem ? undefined : message.profile;
  const planned = claim.entries.map((claimed) => ({ claimed, profile: profiles.of(claimed.entry.domain, own) }));
  const dice = deliverer.random();
  const outcome = await deliver(deliverer, claim, signal);
  const now = deliverer.clock.now();
  const steps = planned.map(({ claimed, profile }) => {
    const { entry } = claimed;
    return { claimed, step: nextStep({ entry, outcome, profile, onPossiblyDelivered, now, dice }) };
  });
  const failed = steps.flatMap(({ step }) => step.failed);
  const bounce = await bounceNotice(services, message, body, failed, now);
  const late = services.delayWarnings ? steps.flatMap(({ step }) => lateRecipients(step)) : [];
  const warning = await delayNotice(services, message, body, late, now);
  return {
    outcome,
    toSubmitter: withRetries(outcome, steps),
    settlement: {
      now,
      results: steps.map(({ claimed, step }) => resultOf(claimed, step, outcome)),
      mail: mailOf(bounce, warning),
    },
    events: [
      ...(problem ? [troubleOf(message, problem, now)] : []),
      { type: 'attempted', at: now, id: message.id, outcome },
      ...steps.flatMap(({ claimed, step }) => eventsOf(message, claimed.entry, step, now)),
      ...eventOf(bounce),
      ...eventOf(warning),
    ],
  };
}

/** Ends a claim without an attempt: its recipients fail by an operator's hand. */
export async function bounceClaim(
  services: NoticeServices,
  { message, body, entries }: Claim,
  now: number,
): Promise<Pick<Attempted, 'settlement' | 'events'>> {
  const failed = entries.flatMap(({ entry }) => entry.recipients.map(bouncedByHand));
  const bounce = await bounceNotice(services, message, body, failed, now);
  const results = entries.map(({ key, token, entry }): EntryResult => ({
    key,
    token,
    domain: entry.domain,
    had: entry.recipients.length,
    gone: [],
    next: { then: 'done' },
    tally: { ...NO_TALLY, hardBounces: { other: entry.recipients.length } },
  }));
  return { settlement: { now, results, mail: mailOf(bounce) }, events: eventOf(bounce) };
}

const NO_TALLY: Tally = { delivered: 0, discarded: 0, softBounces: 0, hardBounces: {} };

/** One delivery for each way that the entries take, nearly always one. */
async function deliver(
  deliverer: Deliverer,
  { message, body, entries }: Claim,
  signal: AbortSignal,
): Promise<DeliveryOutcome> {
  const ways = new Map<string, QueueEntry[]>();
  for (const { entry } of entries) {
    const way = entry.via ? JSON.stringify(entry.via) : '';
    const others = ways.get(way);
    if (others) others.push(entry);
    else ways.set(way, [entry]);
  }
  const { id, from } = message;
  const shared = sharedEnvelope(message, from);
  const tries = [...ways.values()].map((along) => ({ via: along[0]?.via, to: along.flatMap(openRecipients) }));
  const ends = await Promise.allSettled(
    tries.map(async ({ via, to }): Promise<DeliveryOutcome> => {
      if (to.length === 0) return { id, recipients: [], attempts: [] };
      return await deliverer.deliver(
        { envelope: { ...shared, to }, message: body },
        { id, signal, ...(via && { via }) },
      );
    }),
  );
  const isTold = ends.some((end) => end.status === 'fulfilled' && end.value.recipients.length > 0);
  const outcomes = ends.map((end, i): DeliveryOutcome => {
    if (end.status === 'fulfilled') return end.value;
    // What went one way is recorded, though another takes nothing. A relay that is no longer in the table: someone may put it back.
    if (!isTold && !(end.reason instanceof RouteConfigError)) throw end.reason;
    const failure = { kind: 'aborted', message: errorMessage(end.reason) } as const;
    return notTried(id, tries[i]?.to ?? [], failure, deliverer.clock.now());
  });
  const [only] = outcomes;
  if (only && outcomes.length === 1) return only;
  return {
    id,
    recipients: outcomes.flatMap(({ recipients }) => recipients),
    attempts: outcomes.flatMap(({ attempts }) => attempts),
  };
}

function openRecipients({ recipients }: QueueEntry): string[] {
  return recipients.flatMap(({ recipient, held }) => (held ? [] : [recipient]));
}

function resultOf({ key, token, entry }: ClaimedEntry, step: Step, outcome: DeliveryOutcome): EntryResult {
  const { delivered, discarded, failed, deferred, held, next } = step;
  const mine = new Set(entry.recipients.map(({ recipient }) => recipient));
  const attempts = outcome.attempts.filter(({ recipients }) => recipients.some((recipient) => mine.has(recipient)));
  const reached = delivered.length > 0 || attempts.some(({ phase }) => phase !== 'connect' && phase !== 'session');
  const failure = deferred[0]?.last ?? held[0]?.last ?? failed[0]?.failure;
  // Whether others of this message were put off says more than that one was taken.
  const tookAll = delivered.length > 0 && deferred.length === 0 && entry.via === undefined;
  const wakeBefore = tookAll ? attempts.at(-1)?.startedAt : undefined;
  const hardBounces: Partial<Record<HardBounceKind, number>> = {};
  for (const one of failed) {
    const kind = hardBounceKind(one.failure);
    hardBounces[kind] = (hardBounces[kind] ?? 0) + 1;
  }
  return {
    key,
    token,
    domain: entry.domain,
    had: entry.recipients.length,
    gone: [...delivered, ...discarded],
    next,
    tally: {
      delivered: delivered.length,
      discarded: discarded.length,
      softBounces: deferred.length + held.length,
      hardBounces,
    },
    ...(wakeBefore !== undefined && { wakeBefore }),
    ...(attempts.length > 0 && { state: reached ? 'up' : 'down' }),
    ...(failure && { failure }),
  };
}

/** The appliance's classes. A name that leads nowhere is `dns` (RFC 3463 5.1.2, 5.4.4, 5.4.6; RFC 7505 5.1.10). */
function hardBounceKind(failure: Failure): HardBounceKind {
  if (failure.kind === 'expired') return 'expired';
  if (failure.kind === 'reply') return '5xx';
  const isDns = failure.kind === 'unroutable' && /^5\.(1\.2|1\.10|4\.4|4\.6)$/.test(failure.enhanced ?? '');
  return isDns ? 'dns' : 'other';
}

/** Recipients whose second attempt was answered, and not accepted: the moment of a delay warning. */
function lateRecipients({ deferred, retryUntilAt }: Step): (FailedRecipient & { retryUntilAt: number })[] {
  return deferred.flatMap(({ recipient, attempts, lastAttemptAt, last, remoteMta }) =>
    attempts === 2 && last?.kind === 'reply'
      ? [
          {
            recipient,
            failure: last,
            attempts,
            ...(lastAttemptAt !== undefined && { lastAttemptAt }),
            ...(remoteMta !== undefined && { remoteMta }),
            retryUntilAt,
          },
        ]
      : [],
  );
}

function eventsOf(
  { id }: QueuedMessage,
  { domain }: QueueEntry,
  { deferred, held, next }: Step,
  at: number,
): QueueEvent[] {
  const names = (list: readonly { readonly recipient: string }[]): string[] => list.map(({ recipient }) => recipient);
  const events: QueueEvent[] = [];
  const failure = deferred[0]?.last;
  if (failure && next.then === 'again') {
    events.push({ type: 'deferred', at, id, domain, recipients: names(deferred), failure, retryAt: next.at });
  }
  if (held.length > 0) events.push({ type: 'held', at, id, domain, recipients: names(held) });
  return events;
}

function troubleOf({ id }: QueuedMessage, error: Error, at: number): QueueEvent {
  return { type: 'trouble', at, during: `reading the profile of ${id}`, error };
}

function mailOf(...notices: readonly Notice[]): Settlement['mail'] {
  return notices.flatMap(({ mail }) => mail ?? []);
}

function eventOf({ event }: Notice): QueueEvent[] {
  return event ? [event] : [];
}
