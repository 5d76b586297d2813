/**
 * What only messages tell of a domain: since when it has mail, and when that is tried next.
 */
import type { HostStatus } from '../delivery-queue.js';
import { readRecordIfKnown } from './mail-record.js';

/**
 * @param oldest the stored record of the domain's oldest message
 * @param retryAt when the first retry to the domain is due
 */
export function domainTimes(
  domain: string,
  oldest: string | undefined,
  retryAt: number | undefined,
): Pick<HostStatus, 'oldestAt' | 'nextAttemptAt'> {
  const record = oldest === undefined ? undefined : readRecordIfKnown(oldest);
  const first = record?.entries.find((one) => one.entry.domain === domain);
  const dues = [retryAt, first?.status === 'waiting' ? first.dueAt : undefined].flatMap((at) => at ?? []);
  return {
    ...(record && { oldestAt: record.message.arrivalAt }),
    ...(dues.length > 0 && { nextAttemptAt: Math.min(...dues) }),
  };
}
