/**
 * What a queue is given, checked all at once.
 */
import { bounceProfile, checkBounceProfile, type BounceProfile } from '../core/bounce-profile.js';
import {
  checkOptions,
  isBoolean,
  isDuration,
  isFunction,
  isIntegerBetween,
  isObject,
  isOneOf,
  isString,
  isWith,
  show,
  withDefaults,
  type Check,
} from '../core/check-options.js';
import { Problems } from '../core/config-error.js';
import { canonicalDomain } from '../core/domain.js';
import type { Deliverer } from '../delivery/deliverer.js';
import type { BounceOptions } from './bounces/failure-notices.js';
import type { QueuePossiblyDelivered } from './next-step.js';
import type { OnQueueEvent } from './queue-observer.js';

/** Durations in milliseconds. */
export interface QueueOptions extends BounceOptions {
  /** Delivers; its clock and dice are the queue's too. The app closes it, after the queue. */
  readonly deliverer: Deliverer;
  /** How often and how long to retry. Default AsyncOS's: 100 retries, 72 h, waits from 60 s to 1 h. */
  readonly profile?: Partial<BounceProfile>;
  /** The same for single recipient domains, over `profile`. */
  readonly profiles?: Readonly<Record<string, Partial<BounceProfile>>>;
  /** Messages in delivery at once. Default 40. */
  readonly concurrency?: number;
  /** Of these to one recipient domain at most. Default half of `concurrency`. */
  readonly perDomain?: number;
  /** What to do about mail that may have arrived. Default `queue`: try again, it may come twice. */
  readonly onPossiblyDelivered?: QueuePossiblyDelivered;
  /** How long a claim holds when nothing more is heard of its worker; renewed every third of it. Default 31 min: the deliverer's `deadlineMs` and a minute. */
  readonly leaseMs?: number;
  /** How often to look for mail that other processes stored. Default 1 s. */
  readonly pollMs?: number;
  /** Larger messages are refused. Default 50 MiB. */
  readonly maxMessageBytes?: number;
  readonly onEvent?: OnQueueEvent;
}

export interface QueueSettings extends Required<
  Pick<QueueOptions, 'concurrency' | 'perDomain' | 'onPossiblyDelivered' | 'leaseMs' | 'pollMs' | 'maxMessageBytes'>
> {
  readonly bounces: NonNullable<BounceOptions['bounces']>;
  readonly delayWarnings: boolean;
  readonly reportingMta: string | undefined;
}

const DEFAULT_CONCURRENCY = 40;
const LEASE_AFTER_DEADLINE_MS = 60_000;

type Checks = Readonly<Record<string, Check>>;

/**
 * @param more what else may be given
 * @param needed what else must be
 * @throws {RouteConfigError} with everything that is wrong
 */
export function queueSettings(options: QueueOptions, more: Checks = {}, needed: Checks = {}): QueueSettings {
  const problems = new Problems();
  const given = (options as Partial<QueueOptions> | undefined) ?? {};
  checkOptions(given, { ...CHECKS, ...more, ...needed }, '', problems);
  for (const [name, check] of Object.entries({ deliverer: CHECKS.deliverer, ...needed })) {
    const value = (given as Readonly<Record<string, unknown>>)[name];
    if (value === undefined) problems.add(name, check(value) ?? 'is missing');
  }
  const { profile, profiles, concurrency = DEFAULT_CONCURRENCY } = given;
  if (profile !== undefined) checkBounceProfile(profile, 'profile', problems);
  if (typeof profiles === 'object') {
    for (const [domain, one] of Object.entries(profiles)) {
      if (canonicalDomain(domain) === undefined) problems.add(`profiles.${domain}`, `is no domain: ${show(domain)}`);
      checkBounceProfile(one, `profiles.${domain}`, problems);
    }
  }
  problems.throwIfAny('queue');
  const defaults: QueueSettings = {
    concurrency,
    perDomain: Math.max(1, Math.ceil(concurrency / 2)),
    onPossiblyDelivered: 'queue',
    leaseMs: options.deliverer.deadlineMs + LEASE_AFTER_DEADLINE_MS,
    pollMs: 1000,
    maxMessageBytes: 50 * 1024 * 1024,
    bounces: 'message',
    delayWarnings: false,
    reportingMta: undefined,
  };
  const set = Object.entries(options).filter(([key]) => key in defaults);
  return withDefaults(defaults, Object.fromEntries(set) as Partial<QueueSettings>);
}

const CHECKS: Readonly<Record<keyof QueueOptions, Check>> = {
  deliverer: isWith('deliver', 'a Deliverer'),
  profile: isObject,
  profiles: isObject,
  concurrency: isIntegerBetween(1, 10_000),
  perDomain: isIntegerBetween(1, 10_000),
  onPossiblyDelivered: isOneOf('queue', 'report', 'assume-delivered'),
  leaseMs: isDuration,
  pollMs: isDuration,
  maxMessageBytes: isIntegerBetween(1, Number.MAX_SAFE_INTEGER),
  bounces: (value) => (isFunction(value) === undefined ? undefined : isOneOf('message', 'event', 'off')(value)),
  delayWarnings: isBoolean,
  reportingMta: isString,
  onEvent: isFunction,
};

/** The profile that holds for a message and a domain: the message's own parameters, else the domain's, else the queue's. */
export class Profiles {
  readonly #common: BounceProfile;
  readonly #byDomain = new Map<string, BounceProfile>();

  constructor({ profile, profiles = {} }: Pick<QueueOptions, 'profile' | 'profiles'>) {
    this.#common = bounceProfile(profile);
    for (const [domain, one] of Object.entries(profiles)) {
      this.#byDomain.set(canonicalDomain(domain) ?? domain, withDefaults(this.#common, one));
    }
  }

  /** @param own checked before */
  of(domain: string, own: Partial<BounceProfile> | undefined): BounceProfile {
    return withDefaults(this.#byDomain.get(domain) ?? this.#common, own);
  }
}

/** What is wrong with a profile that was stored: by a newer version, or damaged since. */
export function profileProblem(stored: unknown): Error | undefined {
  if (stored === undefined) return undefined;
  try {
    bounceProfile(stored as Partial<BounceProfile>);
    return undefined;
  } catch (error) {
    return error as Error;
  }
}
