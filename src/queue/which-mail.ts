/**
 * What operators ask for, checked: a filter, a page, a domain.
 */
import { checkOptions, isIntegerBetween, isOneOf, isString, show, type Check } from '../core/check-options.js';
import { Problems } from '../core/config-error.js';
import { canonicalDomain } from '../core/domain.js';
import type { QueueFilter, ShowFilter, TopHostsOptions, Which } from './delivery-queue.js';
import type { QueueEntry } from './queue-entry.js';
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
  if (which === 'all') return {};
  const problems = new Problems();
  checkOptions(which, FILTER, 'which', problems);
  if (problems.count === 0 && Object.values(which).every((value) => value === undefined)) {
    problems.add('which', "is empty; say 'all' for everything");
  }
  problems.throwIfAny(verb);
  return canonical(which);
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
