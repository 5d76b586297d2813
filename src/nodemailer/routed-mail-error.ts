/**
 * What `sendMail` rejects with: nodemailer's error fields, and beside them the whole outcome.
 */
import type { DeliveryOutcome, RecipientOutcome } from '../core/outcome.js';
import { nodemailerFields, sayFailure, type NodemailerErrorFields } from './nodemailer-error.js';

/** Why one recipient was not accepted, as in nodemailer's `rejectedErrors`. */
export interface RecipientMailError extends Error, NodemailerErrorFields {
  readonly recipient: string;
}

/** Of `ESTREAM`, as Node and nodemailer set them: what could not be read. */
export interface StreamErrorFields {
  readonly errno?: number;
  readonly syscall?: string;
  readonly path?: string;
  readonly sourceUrl?: string;
}

/** The fields of a `RoutedMailError` beside its message. */
export interface RoutedMailErrorFields extends Partial<NodemailerErrorFields>, StreamErrorFields {
  readonly code: string;
  readonly outcome: DeliveryOutcome;
  readonly rejectedErrors?: readonly RecipientMailError[];
  /** Of a queue that has the message all the same. */
  readonly queueId?: string;
  readonly cause?: unknown;
}

/**
 * No recipient was accepted. `code` beside nodemailer's own (`EENVELOPE`, `EMESSAGE`, `ESTREAM`,
 * `EABORT`…): `EDEFERRED`, temporary for all and nobody retries; `EUNCERTAIN`, the connection was
 * lost after the message, so a copy may have arrived.
 */
export class RoutedMailError extends Error implements NodemailerErrorFields, StreamErrorFields {
  readonly code: string;
  readonly command: string;
  declare readonly originalCode?: string;
  declare readonly responseCode?: number;
  declare readonly response?: string;
  declare readonly queueId?: string;
  declare readonly errno?: number;
  declare readonly syscall?: string;
  declare readonly path?: string;
  declare readonly sourceUrl?: string;
  /** Whether trying again cannot help: every recipient was rejected for good. */
  readonly permanent: boolean;
  readonly rejected: string[];
  readonly rejectedErrors: RecipientMailError[];
  /** Recipients that may be delivered yet, or may have been. */
  readonly pending: string[];
  readonly outcome: DeliveryOutcome;

  constructor(message: string, fields: RoutedMailErrorFields) {
    const { code, command = 'API', outcome, rejectedErrors = [], cause, ...rest } = fields;
    super(message, cause === undefined ? undefined : { cause });
    // nodemailer's name for what a signal ended, and everybody else's.
    this.name = code === 'EABORT' ? 'AbortError' : 'RoutedMailError';
    this.code = code;
    this.command = command;
    Object.assign(this, rest);
    const { recipients } = outcome;
    this.permanent = recipients.length > 0 && recipients.every(({ status }) => status === 'rejected');
    this.rejected = recipients.map(({ recipient }) => recipient);
    this.rejectedErrors = [...rejectedErrors];
    this.pending = recipients.filter(isPending).map(({ recipient }) => recipient);
    this.outcome = outcome;
  }
}

/** Neither delivered nor refused for good. */
export function isPending({ status }: RecipientOutcome): boolean {
  return status === 'queue-for-later' || status === 'possibly-delivered';
}

/** Why this recipient does not count as accepted. */
export function recipientError(
  result: Exclude<RecipientOutcome, { status: 'delivered' | 'discarded' }>,
): RecipientMailError {
  const { recipient, status, failure } = result;
  const fields = nodemailerFields(failure);
  return Object.assign(new Error(sayFailure(failure)), {
    ...fields,
    ...(status === 'possibly-delivered' && { code: 'EUNCERTAIN' }),
    recipient,
  });
}
