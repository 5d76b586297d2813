/**
 * Outcomes as a queue tells them: of what it did not try, and of a first attempt to whoever handed
 * the message in.
 */
import { recipientKey } from '../core/address.js';
import type { Failure } from '../core/failure.js';
import type { DeliveryOutcome, RecipientOutcome } from '../core/outcome.js';
import type { Step } from './next-step.js';
import type { Claim, NewMail } from './queue-store.js';

/** The outcome of recipients for whom nothing was done. */
export function notTried(id: string, to: readonly string[], failure: Failure, retryAt: number): DeliveryOutcome {
  const recipients = to.map((recipient): RecipientOutcome => ({
    recipient,
    status: 'queue-for-later',
    failure,
    retryAt,
  }));
  return { id, recipients, attempts: [] };
}

/** What the queue tries again is queued for later, and when. */
export function withRetries(outcome: DeliveryOutcome, steps: readonly { readonly step: Step }[]): DeliveryOutcome {
  const retries = new Map(
    steps.flatMap(({ step: { deferred, next } }) =>
      next.then === 'again' ? deferred.map(({ recipient }) => [recipientKey(recipient), next.at] as const) : [],
    ),
  );
  const recipients = outcome.recipients.map((result): RecipientOutcome => {
    const retryAt = retries.get(recipientKey(result.recipient));
    return retryAt === undefined || !('failure' in result)
      ? result
      : { recipient: result.recipient, status: 'queue-for-later', failure: result.failure, retryAt };
  });
  return { ...outcome, recipients };
}

/** The outcome with the recipients whose domains are suspended too. */
export function withSuspended(
  { message, entries }: NewMail,
  claimed: Claim['entries'],
  now: number,
  tried?: DeliveryOutcome,
): DeliveryOutcome {
  const theirs = new Set(claimed.map(({ entry }) => entry.domain));
  const rest = entries.filter(({ domain }) => !theirs.has(domain));
  if (tried && rest.length === 0) return tried;
  const failure = { kind: 'aborted', message: 'delivery is suspended' } as const;
  const to = rest.flatMap(({ recipients }) => recipients.map(({ recipient }) => recipient));
  const waiting = notTried(message.id, to, failure, now);
  return tried ? { ...tried, recipients: [...tried.recipients, ...waiting.recipients] } : waiting;
}

/** Entries are by domain; who reads an outcome goes by the envelope. */
export function inOrderOf(to: readonly string[], outcome: DeliveryOutcome): DeliveryOutcome {
  const ofRecipient = new Map(outcome.recipients.map((one) => [one.recipient, one]));
  return { ...outcome, recipients: [...new Set(to)].flatMap((recipient) => ofRecipient.get(recipient) ?? []) };
}
