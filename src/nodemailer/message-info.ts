/**
 * An outcome as `sendMail` tells it: information, as nodemailer's SMTP transport gives it, or the
 * error to reject with. The rule: an app must never take "nobody will retry this" for success.
 */
import type { DeliveryOutcome, RecipientOutcome } from '../core/outcome.js';
import { replyText } from '../core/reply.js';
import { nodemailerFields, saidOfRefusal, sayFailure } from './nodemailer-error.js';
import type { ShownEnvelope } from './nodemailer-mail.js';
import { isPending, recipientError, RoutedMailError, type RecipientMailError } from './routed-mail-error.js';

/** What `sendMail` resolves with. The first eight as nodemailer's SMTP transport has them; times in milliseconds. */
export interface RoutedMessageInfo {
  readonly envelope: ShownEnvelope;
  readonly messageId: string;
  /** Delivered or discarded. */
  readonly accepted: string[];
  /** Refused; without a queue also those that nobody will try again; and those that may have arrived. */
  readonly rejected: string[];
  /** Why, for each of `rejected`. Absent if there are none. */
  readonly rejectedErrors?: RecipientMailError[];
  /** The last accepting reply, `250 2.0.0 queued`, made printable, of several lines with the code once; where no server gave one, what became of the message. */
  readonly response: string;
  /** Until the attempt that delivered began. */
  readonly envelopeTime: number;
  /** From there on. */
  readonly messageTime: number;
  /** Octets of the message and of the final dot, which nodemailer counts too; without the dots that SMTP doubles. */
  readonly messageSize: number;
  /** To be delivered later, or possibly delivered. */
  readonly pending: string[];
  /** Each recipient and every attempt. */
  readonly outcome: DeliveryOutcome;
  /** The id under which a queue has the message. */
  readonly queueId?: string;
}

/** `.` and its line end. */
const FINAL_DOT = 3;

/** What is known of a message beside its outcome. Times in milliseconds since the epoch. */
export interface SentMessage {
  readonly envelope: ShownEnvelope;
  readonly messageId: string;
  readonly size: number;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly queueId?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** @throws {RoutedMailError} if no recipient was accepted, nor taken over by a queue */
export function messageInfo(outcome: DeliveryOutcome, message: SentMessage): RoutedMessageInfo {
  const { envelope, messageId, size, startedAt, endedAt, queueId } = message;
  const { recipients, attempts } = outcome;
  const isQueued = ({ status }: RecipientOutcome): boolean => queueId !== undefined && status === 'queue-for-later';
  const accepted = recipients.filter((result) => result.status === 'delivered' || result.status === 'discarded');
  const rejectedErrors = recipients.flatMap((result) =>
    result.status === 'delivered' || result.status === 'discarded' || isQueued(result) ? [] : [recipientError(result)],
  );
  if (rejectedErrors.length === recipients.length) throw refused(outcome, rejectedErrors, message);
  const deliveredFrom = attempts.findLast(({ failure }) => !failure)?.startedAt ?? endedAt;
  const envelopeTime = Math.min(Math.max(deliveredFrom - startedAt, 0), endedAt - startedAt);
  return {
    envelope,
    messageId,
    accepted: accepted.map(({ recipient }) => recipient),
    rejected: rejectedErrors.map(({ recipient }) => recipient),
    ...(rejectedErrors.length > 0 && { rejectedErrors }),
    response: response(recipients, queueId),
    envelopeTime,
    messageTime: endedAt - startedAt - envelopeTime,
    messageSize: size + FINAL_DOT,
    pending: recipients.filter(isPending).map(({ recipient }) => recipient),
    outcome,
    ...(queueId !== undefined && { queueId }),
  };
}

function response(recipients: readonly RecipientOutcome[], queueId: string | undefined): string {
  const delivered = recipients.findLast((result) => result.status === 'delivered');
  if (delivered) return delivered.reply ? replyText(delivered.reply) : `accepted by ${delivered.relay}`;
  return queueId !== undefined && recipients.some(isPending) ? `queued as ${queueId}` : 'discarded by a route';
}

/** nodemailer's words for the two that it has itself. */
const SAID: Readonly<Record<string, string>> = {
  EENVELOPE: "Can't send mail - all recipients were rejected: ",
  EMESSAGE: 'Message failed: ',
  EABORT: 'Message sending aborted: ',
  EDEFERRED: 'No relay could take the message for now, and nobody will try again: ',
  EUNCERTAIN: 'The message may have been delivered, and nobody knows: ',
};

function refused(
  outcome: DeliveryOutcome,
  rejectedErrors: readonly RecipientMailError[],
  { signal, queueId }: SentMessage,
): RoutedMailError {
  const { recipients } = outcome;
  const uncertain = recipients.find((result) => result.status === 'possibly-delivered');
  const rejected = recipients.find((result) => result.status === 'rejected');
  const deferred = recipients.find((result) => result.status === 'queue-for-later');
  const decisive = uncertain ?? rejected ?? deferred;
  if (!decisive) throw new TypeError('an outcome without recipients');
  const { failure } = decisive;
  const fields = nodemailerFields(failure);
  const aborted = signal?.aborted && deferred?.failure.kind === 'aborted';
  const code = uncertain ? 'EUNCERTAIN' : aborted ? 'EABORT' : rejected ? fields.code : 'EDEFERRED';
  const said = (code === 'EENVELOPE' && saidOfRefusal(failure)) || (SAID[code] ?? '');
  return new RoutedMailError(said + sayFailure(failure), {
    ...fields,
    code,
    outcome,
    rejectedErrors,
    ...(queueId !== undefined && { queueId }),
    ...(code === 'EABORT' && { cause: signal?.reason as unknown }),
  });
}
