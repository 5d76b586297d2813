/**
 * What a delivery tells those who listen when it is over.
 */
import type { DeliveryOutcome } from '../core/outcome.js';
import type { DeliveryServices } from './delivery.js';

/** Says what became of the delivery, and first which failures its success would hide. */
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
