/**
 * What the results of one transaction mean, recipient by recipient: settled, left for the next
 * relay, or overflowing into a further transaction with this one.
 */
import { isTooManyRecipients, TOO_MANY_RECIPIENTS, type Verdict } from '../core/classify.js';
import type { Failure } from '../core/failure.js';
import type { RefusedRecipient } from '../core/outcome.js';
import type { Delivery, Recipient } from './delivery.js';
import type { SendResult } from './transact.js';

/** A recipient still to be settled, and the failure that counts so far. */
export interface OpenRecipient {
  readonly recipient: Recipient;
  readonly last?: Failure;
}

/** The recipients of a transaction after it. */
export interface Sorted {
  readonly accepted: readonly Recipient[];
  readonly response: string | undefined;
  readonly left: readonly OpenRecipient[];
  readonly overflow: readonly OpenRecipient[];
  readonly refused: readonly RefusedRecipient[];
}

/** Settles what can be settled; the rest is left for the next relay, or overflows into a further transaction. */
export function sortOut(
  delivery: Delivery,
  relay: string,
  open: readonly OpenRecipient[],
  results: readonly SendResult[],
): Sorted {
  const accepted: Recipient[] = [];
  const left: OpenRecipient[] = [];
  const overflow: OpenRecipient[] = [];
  const refused: RefusedRecipient[] = [];
  let response: string | undefined;
  const anyAccepted = results.some(({ failure }) => failure === undefined);
  const anyInEnvelope = anyAccepted || results.some(isPastEnvelope);
  let relayWide: Map<Failure, Verdict> | undefined;

  open.forEach((entry, i) => {
    const { recipient } = entry;
    const { reply, failure } = results[i] ?? { failure: NO_RESULT };
    if (failure === undefined) {
      delivery.settle(recipient, reply ? { status: 'delivered', relay, reply } : { status: 'delivered', relay });
      accepted.push(recipient);
      response ??= reply && (reply.enhanced === undefined ? reply.text : `${reply.enhanced} ${reply.text}`);
      return;
    }
    if (anyAccepted && isTooManyRecipients(failure)) {
      overflow.push(entry);
      return;
    }
    const verdict = verdictOn(failure, recipient);
    refused.push({ recipient: recipient.address, failure, verdict });
    conclude(delivery, relay, entry, failure, verdict, left);
  });
  return { accepted, response, left, overflow, refused };

  /** A failure before the envelope concerns the relay: the hook hears of it once, and of no recipient. */
  function verdictOn(failure: Failure, recipient: Recipient): Verdict {
    const beforeEnvelope = 'phase' in failure && (failure.phase === 'connect' || failure.phase === 'session');
    if (!beforeEnvelope) {
      const builtIn = anyInEnvelope && isTooManyRecipients(failure) ? TOO_MANY_RECIPIENTS : undefined;
      return delivery.judge(failure, { relay, recipient: recipient.address }, builtIn);
    }
    const verdict = relayWide?.get(failure) ?? delivery.judge(failure, { relay });
    relayWide ??= new Map<Failure, Verdict>();
    relayWide.set(failure, verdict);
    return verdict;
  }
}

/** Whether a recipient's RCPT was accepted, although the message was not. */
function isPastEnvelope({ failure }: SendResult): boolean {
  return failure !== undefined && 'phase' in failure && (failure.phase === 'data' || failure.phase === 'final-reply');
}

const NO_RESULT: Failure = { kind: 'lost', phase: 'final-reply', code: 'EPROTOCOL', message: 'no result' };

function conclude(
  delivery: Delivery,
  relay: string,
  { recipient, last }: OpenRecipient,
  failure: Failure,
  { action }: Verdict,
  left: OpenRecipient[],
): void {
  switch (action) {
    case 'reject':
      delivery.settle(recipient, { status: 'rejected', failure });
      return;
    case 'next-relay':
      // A relay that merely lacks an extension must not hide that another one may take the mail later.
      left.push({ recipient, last: failure.kind === 'unsupported' && last ? last : failure });
      return;
    case 'stop':
      if (failure.kind === 'aborted' || failure.kind === 'expired') settleAborted(delivery, recipient, failure, last);
      else settlePossiblyDelivered(delivery, relay, recipient, failure, left);
      return;
    default:
      action satisfies never;
  }
}

/** The attempt was given up before the final dot: by the caller or a limit, or because the message could not be read. */
function settleAborted(delivery: Delivery, recipient: Recipient, failure: Failure, last: Failure | undefined): void {
  delivery.settleOpen(recipient, delivery.over ? last : failure, delivery.retryAt());
}

/** The connection was lost after the final dot may have left: the app has said what that means to it. */
function settlePossiblyDelivered(
  delivery: Delivery,
  relay: string,
  recipient: Recipient,
  failure: Failure,
  left: OpenRecipient[],
): void {
  const policy = delivery.services.onPossiblyDelivered;
  switch (policy) {
    case 'report':
      delivery.settle(recipient, { status: 'possibly-delivered', failure, relay });
      return;
    case 'queue':
      delivery.settle(recipient, { status: 'queue-for-later', failure, retryAt: delivery.retryAt() });
      return;
    case 'next-relay':
      left.push({ recipient, last: failure });
      return;
    case 'assume-delivered':
      delivery.settle(recipient, { status: 'delivered', relay });
      return;
    default:
      policy satisfies never;
  }
}
