/**
 * The last word on a delivery: what became of it, and first which failures its success would hide.
 */
import type { DeliveryOutcome } from '../core/outcome.js';
import type { DeliveryServices } from './delivery.js';

/** @param from the reverse-path, as the caller gave it */
export function announce({ clock, observer }: DeliveryServices, from: string, outcome: DeliveryOutcome): void {
  const { id } = outcome;
  for (const { relay, recipients, failure, verdict, shared } of outcome.attempts) {
    if (!failure || !verdict || shared) continue;
    const saved = outcome.recipients.find((r) => r.status === 'delivered' && recipients.includes(r.recipient));
    if (saved?.status !== 'delivered') continue;
    const deliveredBy = saved.relay;
    observer.emit({ type: 'masked-failure', at: clock.now(), id, relay, failure, verdict, deliveredBy });
  }
  observer.emit({ type: 'settled', at: clock.now(), id, from, outcome });
}
