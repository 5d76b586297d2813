/**
 * What nodemailer's Mail hands to a transport, and what comes back, as far as it is used here.
 * Written down and not imported, because nodemailer 8 and 9 bring no types.
 */
import type { Readable } from 'node:stream';

/** The composed message: a MIME tree that renders itself. */
export interface ComposedMessage {
  getEnvelope(): object;
  messageId(): string;
  createReadStream(): Readable;
}

/** A message on its way through a transporter: `data` as the app gave it, `message` composed from it. */
export interface NodemailerMail {
  readonly data: object;
  readonly message: ComposedMessage;
}

/** The fields of `data` that concern a transport. */
export interface MailData {
  readonly signal?: unknown;
  readonly dsn?: unknown;
  readonly requireTLSExtensionEnabled?: unknown;
}

export type SendCallback<Info> = (error: Error | null, info?: Info) => void;

/** A transport as an app makes or buys it. */
export interface NodemailerTransport {
  readonly name?: unknown;
  readonly supportsAbortSignal?: unknown;
  send(mail: object, callback: SendCallback<unknown>): unknown;
}

/** What `createTransport` returns. */
export interface NodemailerTransporter {
  readonly transporter?: NodemailerTransport;
  sendMail(data: object): unknown;
}

/** The envelope as `sendMail` reports it: `from` is empty for a null sender, and where there is none. */
export interface ShownEnvelope {
  readonly from: string;
  readonly to: string[];
}
