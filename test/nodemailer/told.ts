/**
 * Outcomes in words, so that a table of expectations can be read.
 */
import type { Attempt, DeliveryOutcome, RecipientOutcome } from 'smtp-routes';

/** `reply 450 at envelope: next-relay`, `lost at connect: next-relay, cool`, or `delivered`. */
export function toldAttempt({ failure, verdict }: Attempt): string {
  if (!failure || !verdict) return 'delivered';
  const what = failure.kind === 'reply' ? `reply ${String(failure.reply.code)}` : failure.kind;
  const where = 'phase' in failure ? ` at ${failure.phase}` : '';
  return `${what}${where}: ${verdict.action}${verdict.cool ? ', cool' : ''}`;
}

/** `delivered by first`, `rejected 550`, `possibly-delivered by first: lost`. */
export function toldRecipient(outcome: RecipientOutcome): string {
  switch (outcome.status) {
    case 'delivered':
      return `delivered by ${outcome.relay}`;
    case 'possibly-delivered':
      return `possibly-delivered by ${outcome.relay}`;
    case 'rejected':
    case 'queue-for-later': {
      const { failure } = outcome;
      return `${outcome.status}: ${failure.kind === 'reply' ? String(failure.reply.code) : failure.kind}`;
    }
    default:
      return outcome.status;
  }
}

/** All recipients, where they fare alike; else each of them. */
export function toldOutcome({ recipients }: DeliveryOutcome): string {
  const told = [...new Set(recipients.map(toldRecipient))];
  return told.length === 1 ? told[0]! : recipients.map((r) => `${r.recipient} ${toldRecipient(r)}`).join('; ');
}
