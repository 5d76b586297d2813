/**
 * What is counted for a domain and for the whole queue.
 */
import type { DeliveryCounters } from './delivery-queue.js';
import type { Tally } from './queue-store.js';

/** In one row, flat, so that a store can add to it. */
export interface Counts {
  delivered: number;
  softBounces: number;
  dns: number;
  refused: number;
  expired: number;
  other: number;
  discarded: number;
  removed: number;
}

export function noCounts(): Counts {
  return { delivered: 0, softBounces: 0, dns: 0, refused: 0, expired: 0, other: 0, discarded: 0, removed: 0 };
}

export function countsOf({ delivered, softBounces, hardBounces, discarded }: Tally): Counts {
  const { dns = 0, '5xx': refused = 0, expired = 0, other = 0 } = hardBounces;
  return { delivered, softBounces, dns, refused, expired, other, discarded, removed: 0 };
}

export function addCounts(to: Counts, more: Counts): void {
  for (const key of Object.keys(more) as (keyof Counts)[]) to[key] += more[key];
}

export function shownCounters({
  delivered,
  softBounces,
  dns,
  refused,
  expired,
  other,
  discarded,
  removed,
}: Counts): DeliveryCounters {
  return { delivered, softBounces, hardBounces: { dns, '5xx': refused, expired, other }, discarded, removed };
}
