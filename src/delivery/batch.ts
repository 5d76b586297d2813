/**
 * The loop: the recipients of one plan, from relay to relay, until each is settled or no relay is
 * left. Each attempt takes the open recipients and returns those still open, so that none can be
 * sent to again after a 2xx final reply.
 */
import type { Relay } from '../core/relay.js';
import { recordShared, Transaction } from './transaction.js';
import type { Delivery, Recipient } from './delivery.js';
import type { RelayResult, Rotation } from './relay-states.js';
import type { OpenRecipient } from './sort-out.js';

/** Recipients whose mail takes the same way. */
export interface Batch {
  readonly rotation: Rotation;
  readonly relayOf: (id: string) => Relay;
  readonly recipients: readonly Recipient[];
}

/** Settles every recipient of the batch. Never rejects for anything a relay does. */
export async function deliverBatch(delivery: Delivery, { rotation, relayOf, recipients }: Batch): Promise<void> {
  const { states } = delivery.services;
  let tried: ReadonlySet<string> = NONE;
  let open: readonly OpenRecipient[] = recipients.map((recipient) => ({ recipient }));
  while (open.length > 0 && !delivery.over) {
    const choice = states.choose(rotation, tried);
    if (!choice) break;
    const relay = choice.place ?? relayOf(choice.relay.id);
    const entering = states.enter(relay, delivery.interruption);
    const admission = entering instanceof Promise ? await entering : entering;
    if (admission === 'turned-away' || admission === 'abandoned') {
      states.giveBack(rotation, choice);
      continue;
    }
    open =
      admission === 'entered'
        ? await attemptAt(delivery, relay, choice.tier, open)
        : recordShared(delivery, relay, choice.tier, open, admission);
    if (open.length > 0) tried = new Set([...tried, relay.key]);
  }
  if (open.length === 0) return;
  const at = delivery.retryAt();
  for (const { recipient, last } of open) delivery.settleOpen(recipient, last, at);
}

const NONE: ReadonlySet<string> = new Set();

/** One turn at a relay: a transaction, and further ones for recipients that it had no room for. */
async function attemptAt(
  delivery: Delivery,
  relay: Relay,
  tier: number,
  open: readonly OpenRecipient[],
): Promise<readonly OpenRecipient[]> {
  const { states, clock } = delivery.services;
  const startedAt = clock.now();
  const left: OpenRecipient[] = [];
  let result: RelayResult = 'no-news';
  try {
    let batch = open;
    // It may have been interrupted while the gate let it in, and between two transactions.
    while (batch.length > 0 && !delivery.over) {
      const transaction = new Transaction(delivery, relay, tier, batch);
      const ended = transaction.concluded(await transaction.send());
      left.push(...ended.left);
      batch = ended.overflow;
      result = latest(result, ended.relay);
    }
    left.push(...batch);
  } finally {
    states.leave(relay, result, startedAt);
  }
  return left.sort((a, b) => a.recipient.index - b.recipient.index);
}

function latest(before: RelayResult, now: RelayResult): RelayResult {
  return now === 'no-news' ? before : now;
}
