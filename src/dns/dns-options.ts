/**
 * What a look-up is given, checked all at once.
 */
import { Resolver } from 'node:dns/promises';
import {
  checkOptions,
  isBoolean,
  isDuration,
  isFunction,
  isIntegerBetween,
  isOneOf,
  show,
  withDefaults,
  type Check,
} from '../core/check-options.js';
import { Problems } from '../core/config-error.js';
import { canonicalDomain } from '../core/domain.js';

/** AsyncOS's `ip_sort_pref`: which addresses come first, or which alone are used. */
export type IpPreference = 'prefer-v4' | 'prefer-v6' | 'require-v4' | 'require-v6';

/** Durations in milliseconds. */
export interface DnsLookupOptions {
  /** Name servers as `192.0.2.53`, `192.0.2.53:5353` or `[2001:db8::53]:5353`. Default the system's. */
  readonly servers?: readonly string[];
  /** How long the first try of a query waits for an answer; each further try waits twice as long. Default 2,000. */
  readonly timeoutMs?: number;
  /** Of a query that gets no answer, or one that the server failed. Default 3. */
  readonly tries?: number;
  /** Queries under way at once; the rest wait. Default 200. */
  readonly maxQueries?: number;
  /** Default `prefer-v4`. */
  readonly ipPreference?: IpPreference;
  /** Addresses that one delivery may try, shared among all preferences. Default 20. */
  readonly maxHosts?: number;
  /** Whether a recipient's domain may lead to loopback, private, link-local and other addresses that are not public. Default false. */
  readonly allowPrivateAddresses?: boolean;
  /** Names that this sender takes mail for: exchanges as preferred as one of them, or less, are left out (RFC 5321 5.1). */
  readonly ownNames?: readonly string[];
  /** Answers to remember; 0 for none. Default 10,000 domains, and as many hosts. */
  readonly cacheSize?: number;
  /** How long an answer is kept whose TTL is not known: Node tells none for MX. Default 300,000. */
  readonly ttlMs?: number;
  /** The longest that an answer is kept, whatever its TTL. Default 3,600,000. */
  readonly maxTtlMs?: number;
  /** How long it is kept that a name has no such record, or an answer that lacks a part. Default 60,000. */
  readonly negativeTtlMs?: number;
  /** Time in milliseconds, for tests. */
  readonly clock?: { now(): number };
}

export type ResolvedDnsOptions = Required<Omit<DnsLookupOptions, 'servers' | 'clock'>> &
  Pick<DnsLookupOptions, 'servers' | 'clock'>;

const DEFAULTS: ResolvedDnsOptions = {
  timeoutMs: 2_000,
  tries: 3,
  maxQueries: 200,
  ipPreference: 'prefer-v4',
  maxHosts: 20,
  allowPrivateAddresses: false,
  ownNames: [],
  cacheSize: 10_000,
  ttlMs: 300_000,
  maxTtlMs: 3_600_000,
  negativeTtlMs: 60_000,
};

/** @throws {RouteConfigError} with everything that is wrong */
export function resolveDnsOptions(options: DnsLookupOptions): ResolvedDnsOptions {
  const problems = new Problems();
  checkOptions(options, CHECKS, '', problems);
  problems.throwIfAny('dnsLookup');
  const { ownNames, ...rest } = withDefaults(DEFAULTS, options);
  return { ...rest, ownNames: ownNames.map((name) => canonicalDomain(name) ?? name) };
}

function isListOf(what: string, judge: (item: string) => boolean): Check {
  return (value) => {
    const list: readonly unknown[] | undefined = Array.isArray(value) ? value : undefined;
    if (!list) return `must be an array of ${what}, got ${show(value)}`;
    const wrong = list.find((item) => typeof item !== 'string' || !judge(item));
    return wrong === undefined ? undefined : `must be an array of ${what}; ${show(wrong)} is none`;
  };
}

/** The resolver's own judgement, which is the one that counts. */
function isServer(text: string): boolean {
  try {
    new Resolver().setServers([text]);
    return true;
  } catch {
    return false;
  }
}

const isServers: Check = (value) =>
  Array.isArray(value) && value.length === 0
    ? 'must name at least one server'
    : isListOf('addresses of name servers', isServer)(value);

const isClock: Check = (value) => isFunction((value as { now?: unknown } | null)?.now) && 'must have now()';

const isCount = isIntegerBetween(1, 100_000);

const CHECKS: Readonly<Record<keyof DnsLookupOptions, Check>> = {
  servers: isServers,
  timeoutMs: isDuration,
  tries: isIntegerBetween(1, 10),
  maxQueries: isCount,
  ipPreference: isOneOf('prefer-v4', 'prefer-v6', 'require-v4', 'require-v6'),
  maxHosts: isIntegerBetween(1, 100),
  allowPrivateAddresses: isBoolean,
  ownNames: isListOf('host names', (name) => canonicalDomain(name) !== undefined),
  cacheSize: isIntegerBetween(0, 10_000_000),
  ttlMs: isDuration,
  maxTtlMs: isDuration,
  negativeTtlMs: isDuration,
  clock: isClock,
};
