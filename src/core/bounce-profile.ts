/**
 * How often and how long mail is tried again: AsyncOS's bounce profile, with its parameters and
 * defaults. The wait doubles from `initialRetryMs` to `maxRetryMs`; whichever of the two limits
 * comes first ends it.
 */
import { checkOptions, isDuration, isIntegerBetween, withDefaults } from './check-options.js';
import { Problems } from './config-error.js';
import type { Failure } from './failure.js';

/** Durations in milliseconds. The first attempt is at time 0 and is no retry. */
export interface BounceProfile {
  /** Retries after the first attempt. Default 100. */
  readonly maxRetries: number;
  /** Time from the first attempt to the last. Default 72 h; RFC 5321 4.5.4.1 asks for 4 to 5 days. */
  readonly maxQueueTimeMs: number;
  /** Wait before the first retry. Default 60 s. */
  readonly initialRetryMs: number;
  /** The longest wait between two attempts. Default 1 h. */
  readonly maxRetryMs: number;
}

const DEFAULTS: BounceProfile = {
  maxRetries: 100,
  maxQueueTimeMs: 72 * 3_600_000,
  initialRetryMs: 60_000,
  maxRetryMs: 3_600_000,
};

/**
 * A bounce profile: the given parameters over AsyncOS's defaults.
 *
 * @throws {RouteConfigError} for unknown or wrong parameters
 */
export function bounceProfile(options: Partial<BounceProfile> = {}): BounceProfile {
  const problems = new Problems();
  checkBounceProfile(options, 'profile', problems);
  problems.throwIfAny('bounceProfile');
  return Object.freeze(withDefaults(DEFAULTS, options));
}

export function checkBounceProfile(options: unknown, path: string, problems: Problems): void {
  checkOptions(
    options,
    {
      maxRetries: isIntegerBetween(0, 1_000_000),
      maxQueueTimeMs: isDuration,
      initialRetryMs: isDuration,
      maxRetryMs: isDuration,
    },
    path,
    problems,
  );
}

/** The failure of a recipient whose schedule has ended (RFC 3463: 5.4.7, delivery time expired). */
export function expiry({ maxRetries, maxQueueTimeMs }: BounceProfile, last: Failure | undefined): Failure {
  const message = `not delivered within ${String(maxRetries)} retries and ${String(maxQueueTimeMs)} ms`;
  return { kind: 'expired', enhanced: '5.4.7', message, ...(last && { last }) };
}

/**
 * The wait before a retry, in milliseconds, spread by ±10 % so that mail deferred together does
 * not come back together.
 *
 * @param retry 1 for the first retry
 * @param dice a number in [0, 1)
 */
export function retryDelayMs(profile: BounceProfile, retry: number, dice: number): number {
  const wait = Math.min(profile.maxRetryMs, profile.initialRetryMs * 2 ** (retry - 1));
  return Math.round(Math.min(profile.maxRetryMs, wait * (0.9 + 0.2 * dice)));
}
