/**
 * Tries again in the foreground, for as long as a bounce profile allows, what a delivery had to
 * leave for later. Nothing is stored: a process that ends takes the waiting mail with it, which is
 * what a durable queue is for.
 */
import pRetry from 'p-retry';
import { bounceProfile, checkBounceProfile, expiry, retryDelayMs, type BounceProfile } from '../core/bounce-profile.js';
import { checkOptions, isObject, isString, isWith, type Check } from '../core/check-options.js';
import { Problems } from '../core/config-error.js';
import type { DeliveryOutcome } from '../core/outcome.js';
import type { Deliverer } from './deliverer.js';
import { checkParts, isSignal, type Mail } from './mail.js';

/** Options of `deliverWithRetries`. */
export interface RetryOptions {
  /** Default: AsyncOS's waits, but 5 retries, since somebody is waiting. */
  readonly profile?: Partial<BounceProfile>;
  /** Ends the waiting: what is still open stays `queue-for-later`. */
  readonly signal?: AbortSignal;
  readonly id?: string;
}

const FOREGROUND_RETRIES = 5;

/** Says that another round is due; never leaves this file. */
class StillOpen extends Error {}

/**
 * Delivers, and delivers again to the recipients still open, until each is settled or the profile
 * ends: then they are `rejected` with the failure `expired`, 5.4.7. Resolves with one outcome that
 * holds the attempts of all rounds.
 *
 * @throws {RouteConfigError} for wrong use, as `deliver()`
 */
export async function deliverWithRetries(
  deliverer: Deliverer,
  mail: Mail,
  options: RetryOptions = {},
): Promise<DeliveryOutcome> {
  checkUse(deliverer, mail, options);
  const { profile: given, signal, id } = options;
  const profile = bounceProfile({ ...given, maxRetries: given?.maxRetries ?? FOREGROUND_RETRIES });
  const { clock, random } = deliverer;
  const startedAt = clock.now();
  let outcome = await deliverer.deliver(mail, { ...(signal && { signal }), ...(id !== undefined && { id }) });

  const nextRound = async (): Promise<void> => {
    const to = openRecipients(outcome);
    const again = { ...mail, envelope: { ...mail.envelope, to } };
    outcome = merged(outcome, await deliverer.deliver(again, { ...(signal && { signal }), id: outcome.id }));
    if (openRecipients(outcome).length > 0) throw new StillOpen();
  };

  /** Waits for the next round. Throws when there is none: the caller gave up, or the profile has ended. */
  const wait = async (retry: number): Promise<void> => {
    signal?.throwIfAborted();
    const left = startedAt + profile.maxQueueTimeMs - clock.now();
    if (retry > profile.maxRetries || left <= 0) {
      outcome = expired(outcome, profile);
      throw new StillOpen();
    }
    // Cut, so that the last attempt is made at the limit and not never.
    await clock.sleep(Math.min(retryDelayMs(profile, retry, random()), left), signal);
  };

  if (openRecipients(outcome).length === 0) return outcome;
  try {
    await wait(1);
    // No `signal` for p-retry: it throws a result away when the signal fired meanwhile.
    await pRetry(nextRound, {
      retries: Infinity,
      minTimeout: 0,
      onFailedAttempt: ({ error, attemptNumber }) => {
        if (!(error instanceof StillOpen)) throw error;
        return wait(attemptNumber + 1);
      },
    });
  } catch {
    // The end of the waiting. What has happened is in the outcome, and so is what is still open.
  }
  return outcome;
}

function checkUse(deliverer: Deliverer, mail: Mail, options: RetryOptions): void {
  const problems = new Problems();
  const wrong = isWith('deliver', 'a Deliverer')(deliverer);
  if (wrong !== undefined) problems.add('deliverer', wrong);
  checkParts(mail, problems);
  checkOptions(options, OPTION_CHECKS, 'options', problems);
  const profile = (options as RetryOptions | null)?.profile;
  if (profile !== undefined && isObject(profile) === undefined)
    checkBounceProfile(profile, 'options.profile', problems);
  problems.throwIfAny('deliverWithRetries');
}

const OPTION_CHECKS: Readonly<Record<keyof RetryOptions, Check>> = {
  profile: isObject,
  signal: isSignal,
  id: isString,
};

function openRecipients({ recipients }: DeliveryOutcome): string[] {
  return recipients.filter(({ status }) => status === 'queue-for-later').map(({ recipient }) => recipient);
}

/** The newer result of each recipient, and all attempts. */
function merged(before: DeliveryOutcome, now: DeliveryOutcome): DeliveryOutcome {
  const newer = new Map(now.recipients.map((result) => [result.recipient, result]));
  const lookups = [...(before.lookups ?? []), ...(now.lookups ?? [])];
  return {
    id: before.id,
    recipients: before.recipients.map((result) => newer.get(result.recipient) ?? result),
    attempts: [...before.attempts, ...now.attempts],
    ...(lookups.length > 0 && { lookups }),
  };
}

function expired(outcome: DeliveryOutcome, profile: BounceProfile): DeliveryOutcome {
  return {
    ...outcome,
    recipients: outcome.recipients.map((result) =>
      result.status === 'queue-for-later'
        ? { recipient: result.recipient, status: 'rejected', failure: expiry(profile, result.failure) }
        : result,
    ),
  };
}
