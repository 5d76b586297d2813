/**
 * What operators ask for, checked: a filter, a page, a domain.
 */
import {
  checkOptions,
  isIntegerBetween,
  isOneOf,
  isString,
  show,
  suggestion,
  type Check,
} from '../core/check-options.js';
import { Problems } from '../core/config-error.js';
import { canonicalDomain } from '../core/domain.js';
import type { QueueFilter, ShowFilter, TopHostsOptions, Which } from './delivery-queue.js';
import type { QueueEntry, Redirection } from './queue-entry.js';
import { STATUSES } from './queue-store.js';

const isText: Check = (value) => (typeof value === 'string' ? undefined : `must be a string, got ${show(value)}`);
const isAge: Check = (value) =>
  typeof value === 'number' && value >= 0 ? undefined : `must be a number of milliseconds, got ${show(value)}`;

const FILTER: Readonly<Record<keyof QueueFilter, Check>> = {
  id: isString,
  domain: isText,
  from: isText,
  olderThanMs: isAge,
  status: isOneOf(...STATUSES),
};

/** @throws {RouteConfigError} for a filter that is none, or that is empty */
export function readWhich(which: Which, verb: string): QueueFilter {
  const problems = new Problems();
  checkWhich(which, problems);
  problems.throwIfAny(verb);
  return which === 'all' ? {} : canonical(which);
}

function checkWhich(which: Which, problems: Problems): void {
  if (which === 'all') return;
  const before = problems.count;
  checkOptions(which, FILTER, 'which', problems);
  if (problems.count === before && Object.values(which).every((value) => value === undefined)) {
    problems.add('which', "is empty; say 'all' for everything");
  }
}

/**
 * The other way that mail takes; undefined for its own.
 *
 * @param relays the ids of all that there are
 * @throws {RouteConfigError} with everything that is wrong with `which` and `to`
 */
export function readRedirect(which: Which, to: unknown, relays: readonly string[]): Redirection | undefined {
  const problems = new Problems();
  checkWhich(which, problems);
  const isRelay: Check = (value) =>
    relays.includes(value as string)
      ? undefined
      : `no relay is called ${show(value)}${suggestion(String(value), relays)}`;
  const via = redirection(to, isRelay, problems);
  problems.throwIfAny('redirect');
  return via;
}

function redirection(to: unknown, isRelay: Check, problems: Problems): Redirection | undefined {
  if (to === undefined) return undefined;
  if (typeof to === 'string') {
    const wrong = isRelay(to);
    if (wrong !== undefined) problems.add('to', wrong);
    return { relay: to };
  }
  if (typeof to !== 'object' || to === null || Array.isArray(to)) {
    problems.add('to', `must be the id of a relay, { relay } or { domain }, got ${show(to)}`);
    return undefined;
  }
  const before = problems.count;
  const isDomain: Check = (value) =>
    canonicalDomain(value as string) === undefined ? `is no domain: ${show(value)}` : undefined;
  const both =
    (first: Check, second: Check): Check =>
    (value) =>
      first(value) ?? second(value);
  checkOptions(to, { relay: both(isString, isRelay), domain: both(isString, isDomain) }, 'to', problems);
  const { relay, domain } = to as { readonly relay?: string; readonly domain?: string };
  if (relay !== undefined && domain !== undefined) problems.add('to', 'names a relay and a domain; leave one out');
  if (relay === undefined && domain === undefined && problems.count === before) {
    problems.add('to', 'must name a relay or a domain: { relay } or { domain }');
  }
  if (problems.count > before) return undefined;
  return relay === undefined ? { domain: canonicalDomain(domain as string) as string } : { relay };
}

const MAX_PAGE = 1000;

/** @throws {RouteConfigError} for wrong options */
export function readPage({ limit = 100, after = '0', ...filter }: ShowFilter): {
  readonly filter: QueueFilter;
  readonly limit: number;
  readonly after: number;
} {
  const problems = new Problems();
  const isCursor: Check = (value) =>
    /^\d+$/.test(String(value)) ? undefined : `must be 'next' of a page, got ${show(value)}`;
  const checks = { ...FILTER, limit: isIntegerBetween(1, MAX_PAGE), after: isCursor };
  checkOptions({ ...filter, limit, after }, checks, '', problems);
  problems.throwIfAny('show');
  return { filter: canonical(filter), limit, after: Number(after) };
}

/** @throws {RouteConfigError} for wrong options */
export function readTopHosts(options: TopHostsOptions): Required<TopHostsOptions> {
  const problems = new Problems();
  const by = isOneOf('active', 'inFlight', 'delivered', 'softBounces', 'hardBounces');
  checkOptions(options, { by, limit: isIntegerBetween(1, MAX_PAGE) }, '', problems);
  problems.throwIfAny('topHosts');
  return { by: options.by ?? 'active', limit: options.limit ?? 20 };
}

/** @throws {RouteConfigError} if it is no domain */
export function readDomain(domain: string, verb: string): string {
  const canonicalName = domain === '' ? domain : canonicalDomain(domain);
  if (canonicalName !== undefined) return canonicalName;
  const problems = new Problems();
  problems.add('domain', `is no domain: ${show(domain)}`);
  problems.throwIfAny(verb);
  return domain;
}

function canonical(filter: QueueFilter): QueueFilter {
  const { domain } = filter;
  return domain === undefined ? filter : { ...filter, domain: canonicalDomain(domain) ?? domain };
}

/** An entry as operators see it, by what a store keeps. */
export function fits(
  filter: QueueFilter,
  now: number,
  {
    id,
    from,
    arrivalAt,
    status,
    domain,
  }: {
    readonly id: string;
    readonly from: string;
    readonly arrivalAt: number;
    readonly status: string;
    readonly domain: string;
  },
): boolean {
  if (filter.id !== undefined && filter.id !== id) return false;
  if (filter.domain !== undefined && filter.domain !== domain) return false;
  if (filter.from !== undefined && filter.from !== from) return false;
  if (filter.olderThanMs !== undefined && now - arrivalAt <= filter.olderThanMs) return false;
  return filter.status === undefined || filter.status === status;
}

/** The recipients of an entry, the way operators see them. */
export function shownRecipients({ recipients }: QueueEntry): {
  readonly recipient: string;
  readonly attempts: number;
  readonly held: boolean;
  readonly history: QueueEntry['recipients'][number]['history'];
}[] {
  return recipients.map(({ recipient, attempts, held = false, last, history }) => ({
    recipient,
    attempts,
    held,
    ...(last && { last }),
    history,
  }));
}
