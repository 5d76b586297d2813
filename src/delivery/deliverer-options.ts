/**
 * What a deliverer is given, checked all at once.
 */
import { checkBounceProfile, type BounceProfile } from '../core/bounce-profile.js';
import {
  checkOptions,
  hasMethods,
  isDuration,
  isFunction,
  isObject,
  isOneOf,
  show,
  type Check,
} from '../core/check-options.js';
import type { ClassifyHook } from '../core/classify.js';
import { Problems } from '../core/config-error.js';
import type { Cooling } from '../core/health.js';
import type { RouteTable } from '../core/route-table.js';
import type { PossiblyDeliveredPolicy } from './delivery.js';
import type { DnsLookup } from './dns-lookup.js';
import { MX_CHECKS, type MxOptions } from './mx-options.js';
import type { OnEvent } from './observer.js';
import type { RelayTransport } from './relay-transport.js';
import type { Clock } from './system-clock.js';

/** Durations in milliseconds. */
export interface DelivererOptions {
  readonly routes: RouteTable;
  readonly transport: RelayTransport;
  /** Answers `mx` plans. Without it, mail that needs DNS is queued for later. */
  readonly dns?: DnsLookup;
  /** How the exchanges of `mx` plans are spoken to: relay options, never credentials. Default port 25, opportunistic TLS. */
  readonly mx?: MxOptions;
  /** Sees each failure with the built-in verdict, and answers the verdict that holds. */
  readonly classify?: ClassifyHook;
  /** Default `report`. */
  readonly onPossiblyDelivered?: PossiblyDeliveredPolicy;
  /** How long a failed relay goes behind the others. Default 15 s, doubling, at most 5 min. */
  readonly cooling?: Partial<Cooling>;
  /** Limit of one attempt, waiting for a free connection not included. Default 15 min. */
  readonly attemptTimeoutMs?: number;
  /** Limit of a whole delivery. Default 30 min. */
  readonly deadlineMs?: number;
  /** Its `initialRetryMs` sets `retryAt` of what is queued for later. Default AsyncOS's. */
  readonly profile?: Partial<BounceProfile>;
  readonly onEvent?: OnEvent;
  readonly clock?: Clock;
  /** Dice in [0, 1), for the start of rotations and the spread of retries. */
  readonly random?: () => number;
}

export const DEFAULT_ATTEMPT_TIMEOUT_MS: number = 15 * 60_000;
export const DEFAULT_DEADLINE_MS: number = 30 * 60_000;

/** @throws {RouteConfigError} with everything that is wrong */
export function checkDelivererOptions(options: DelivererOptions): void {
  const problems = new Problems();
  checkOptions(options, CHECKS, '', problems);
  if (problems.count === 0 || isRecord(options)) {
    for (const needed of ['routes', 'transport'] as const) {
      if ((options as Partial<DelivererOptions>)[needed] === undefined) problems.add(needed, 'is missing');
    }
    if (isRecord(options.cooling)) {
      checkOptions(options.cooling, { initialMs: isDuration, maxMs: isDuration }, 'cooling', problems);
    }
    if (isRecord(options.mx)) checkOptions(options.mx, MX_CHECKS, 'mx', problems);
    if (isRecord(options.profile)) checkBounceProfile(options.profile, 'profile', problems);
  }
  problems.throwIfAny('Deliverer');
}

/** By its methods: a table made by the other build of this package, as a test runner may load it, is as good. */
export const isRouteTable: Check = (value) =>
  hasMethods('find', 'rule', 'relay')(value) === undefined
    ? undefined
    : `must be what defineRoutes or parseSmtpRoutes returned, got ${show(value)}`;

const CHECKS: Readonly<Record<keyof DelivererOptions, Check>> = {
  routes: isRouteTable,
  transport: hasMethods('send'),
  dns: hasMethods('exchanges'),
  mx: isObject,
  classify: isFunction,
  onPossiblyDelivered: isOneOf('report', 'queue', 'next-relay', 'assume-delivered'),
  cooling: isObject,
  attemptTimeoutMs: isDuration,
  deadlineMs: isDuration,
  profile: isObject,
  onEvent: isFunction,
  clock: hasMethods('now', 'sleep'),
  random: isFunction,
};

function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
