/**
 * Tells the sender: the bounce of a message whose recipients failed, and the warning that mail is
 * late. One message for each attempt that settles something, listing every recipient concerned;
 * stored in the same step that removes these recipients, so that neither gets lost alone.
 */
import { hostname } from 'node:os';
import { errorMessage } from '../../core/error-message.js';
import { sharedEnvelope } from '../../delivery/mail.js';
import type { Envelope, Message } from '../../delivery/relay-transport.js';
import { buildBounce } from './bounce-builder.js';
import type { BounceReport } from './bounce-report.js';
import { mayBounce } from './may-bounce.js';
import { noticeMail, type BuildBounce } from './notice-mail.js';
import type { FailedRecipient } from '../next-step.js';
import type { QueuedMessage } from '../queue-entry.js';
import type { QueueEvent } from '../queue-event.js';
import type { NewMail } from '../queue-store.js';

export interface BounceOptions {
  /**
   * `message` (default): a report in the form of RFC 3464 to the envelope sender. `event`: only the
   * event `bounced`. `off`: not even that. A function builds the message instead.
   */
  readonly bounces?: 'message' | 'event' | 'off' | BuildBounce;
  /** A warning to the sender when a second attempt was answered 4xx. Default false. */
  readonly delayWarnings?: boolean;
  /** The name of this host in bounces. Default the host's own. */
  readonly reportingMta?: string;
}

export interface NoticeServices {
  readonly bounces: NonNullable<BounceOptions['bounces']>;
  readonly reportingMta: string | undefined;
  readonly maxMessageBytes: number;
}

/** The message to store, if there is one, and the event that follows once it is. */
export interface Notice {
  readonly mail?: NewMail;
  readonly event?: QueueEvent;
}

export interface Concerned extends FailedRecipient {
  readonly retryUntilAt?: number;
}

type Original = Omit<Envelope, 'to'> & Pick<QueuedMessage, 'id' | 'arrivalAt'>;

/** The bounce for recipients that failed. Never rejects: mail that cannot be reported on is still settled. */
export async function bounceNotice(
  services: NoticeServices,
  original: Original,
  body: Message,
  recipients: readonly Concerned[],
  now: number,
): Promise<Notice> {
  const { id, from } = original;
  const { bounces } = services;
  if (recipients.length === 0 || bounces === 'off') return {};
  const bounced = (rest: Partial<QueueEvent & { type: 'bounced' }>): QueueEvent => ({
    type: 'bounced',
    at: now,
    id,
    from,
    recipients,
    ...rest,
  });
  if (from === '') return { event: bounced({ notSent: 'null-sender' }) };
  if (bounces === 'event' || !mayBounce(envelopeOf(original), 'failed')) {
    return { event: bounced({ notSent: 'not-wanted' }) };
  }
  const mail = await built(services, 'failed', original, body, recipients, now);
  return mail instanceof Error
    ? { event: bounced({ notSent: 'could-not-be-built', reason: errorMessage(mail) }) }
    : { mail, event: bounced({ bounce: mail.message.id }) };
}

/** The warning that recipients are late. */
export async function delayNotice(
  services: NoticeServices,
  original: Original,
  body: Message,
  recipients: readonly Concerned[],
  now: number,
): Promise<Notice> {
  const { id } = original;
  if (recipients.length === 0 || !mayBounce(envelopeOf(original), 'delayed')) return {};
  const mail = await built(services, 'delayed', original, body, recipients, now);
  if (mail instanceof Error) {
    return { event: { type: 'trouble', at: now, during: `building the delay warning of ${id}`, error: mail } };
  }
  const event: QueueEvent = {
    type: 'delay-warned',
    at: now,
    id,
    recipients: recipients.map(({ recipient }) => recipient),
    warning: mail.message.id,
  };
  return { mail, event };
}

function envelopeOf(original: Original): Omit<Envelope, 'to'> {
  return sharedEnvelope(original, original.from);
}

/** The message, or why there is none. */
async function built(
  { bounces, reportingMta, maxMessageBytes }: NoticeServices,
  kind: BounceReport['kind'],
  original: Original,
  message: Message,
  recipients: readonly Concerned[],
  now: number,
): Promise<NewMail | Error> {
  const report: BounceReport = {
    kind,
    now,
    arrivalAt: original.arrivalAt,
    reportingMta: reportingMta ?? hostname(),
    envelope: envelopeOf(original),
    recipients,
    message,
    id: original.id,
    maxBytes: maxMessageBytes,
  };
  try {
    return await noticeMail(typeof bounces === 'function' ? bounces : buildBounce, report, maxMessageBytes);
  } catch (error) {
    return error instanceof Error ? error : new Error(errorMessage(error));
  }
}
