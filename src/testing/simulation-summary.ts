/**
 * The counts of a simulation: what each relay got and what became of the messages.
 */
import type { Failure } from '../core/failure.js';
import type { DeliveryOutcome, RecipientStatus } from '../core/outcome.js';
import type { RouteTable } from '../core/route-table.js';
import { countShares } from './assert-shares.js';
import type { SimulatedRelay } from './simulation.js';

export function statusCounts(outcomes: readonly DeliveryOutcome[]): Record<RecipientStatus, number> {
  const counts = { delivered: 0, 'queue-for-later': 0, rejected: 0, 'possibly-delivered': 0, discarded: 0 };
  for (const { recipients } of outcomes) for (const { status } of recipients) counts[status] += 1;
  return counts;
}

/** All relays of the table, and those that DNS named. */
export function relayCounts(routes: RouteTable, outcomes: readonly DeliveryOutcome[]): Record<string, SimulatedRelay> {
  const delivered = countShares(outcomes);
  const attempts = new Map<string, { attempts: number; failed: number }>();
  for (const { id } of routes.relays()) attempts.set(id, { attempts: 0, failed: 0 });
  for (const { relay, failure, refused } of outcomes.flatMap((outcome) => outcome.attempts)) {
    const count = attempts.get(relay) ?? { attempts: 0, failed: 0 };
    count.attempts += 1;
    if (failure || refused) count.failed += 1;
    attempts.set(relay, count);
  }
  return Object.fromEntries([...attempts].map(([id, count]) => [id, { delivered: delivered.get(id) ?? 0, ...count }]));
}

export interface WaitingRecipient {
  readonly recipient: string;
  readonly messages: number;
  readonly failure: Failure;
}

/** Who has mail that is queued for later, with the failure of the first. */
export function waitingRecipients(outcomes: readonly DeliveryOutcome[]): WaitingRecipient[] {
  const waiting = new Map<string, WaitingRecipient>();
  for (const one of outcomes.flatMap(({ recipients }) => recipients)) {
    if (one.status !== 'queue-for-later') continue;
    const { recipient, failure } = one;
    const known = waiting.get(recipient) ?? { recipient, messages: 0, failure };
    waiting.set(recipient, { ...known, messages: known.messages + 1 });
  }
  return [...waiting.values()];
}
