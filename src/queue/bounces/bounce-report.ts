/**
 * What a bounce, or a warning that mail is late, is built from.
 */
import type { Failure } from '../../core/failure.js';
import type { Envelope, Message } from '../../delivery/relay-transport.js';

/** Times in milliseconds since the epoch. */
export interface ReportedRecipient {
  readonly recipient: string;
  readonly failure: Failure;
  readonly attempts: number;
  readonly lastAttemptAt?: number;
  /** The host that answered last, a name or an address. */
  readonly remoteMta?: string;
  /** Delays only: when trying ends. */
  readonly retryUntilAt?: number;
}

/** Times in milliseconds since the epoch. */
export interface BounceReport {
  readonly kind: 'failed' | 'delayed';
  readonly now: number;
  readonly arrivalAt: number;
  /** The name of this host. */
  readonly reportingMta: string;
  /** The address in the From field. Default MAILER-DAEMON at the reporting MTA. */
  readonly from?: string;
  /** Of the original message. */
  readonly envelope: Omit<Envelope, 'to'>;
  readonly recipients: readonly ReportedRecipient[];
  /** The original message. */
  readonly message: Message;
  /** Of the original message in the queue. */
  readonly id: string;
  /** What the queue takes: a longer bounce is not sent. */
  readonly maxBytes?: number;
}
