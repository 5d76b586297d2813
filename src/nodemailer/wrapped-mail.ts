/**
 * The mail object that a wrapped transport is called with: nodemailer's own, so that it has all
 * that a transport may ask for, around the rendered bytes.
 */
import { addAbortSignal, type Readable } from 'node:stream';
import MailerModule from 'nodemailer/lib/mailer/index.js';
import type { Message, SendRequest } from '../delivery/relay-transport.js';
import { composedFrom } from './composed-mail.js';
import { messageHeaders } from './message-headers.js';
import type { NodemailerMail } from './nodemailer-mail.js';
import type { WrappedBodies } from './wrapped-bodies.js';

type Sending = (mail: NodemailerMail) => void;
type MailerClass = new (transporter: { name: string; version: string; send: Sending }) => {
  sendMail(data: object, callback: (error: Error | null) => void): void;
};

const Mailer: MailerClass = (MailerModule as unknown as { default?: MailerClass }).default ?? MailerModule;

type WrappedRequest = Pick<SendRequest, 'envelope' | 'message' | 'signal'>;

export interface WrappedMailOptions {
  /** For transports that take one. */
  readonly signal: AbortSignal;
  /** Whether the transport is known to read `createReadStream()` and nothing else. */
  readonly streams: boolean;
}

/** Rejects as the message does where it cannot be read. */
export async function wrappedMail(
  { envelope, message, signal }: WrappedRequest,
  bodies: WrappedBodies,
  options: WrappedMailOptions,
): Promise<object> {
  const original = typeof message === 'string' ? undefined : composedFrom.get(message);
  const raw = hasParts(original) ? undefined : options.streams ? bodies.open() : await wholeOf(message, signal);
  const { messageId, ...headers } = await messageHeaders(Buffer.isBuffer(raw) ? raw : message);
  const to = [...envelope.to];
  const mail = await composed({
    ...headers,
    ...(original ? partsOf(original, to) : { to }),
    ...(messageId !== undefined && { messageId }),
    ...(raw !== undefined && { raw }),
    envelope: { from: envelope.from === '' ? false : envelope.from, to },
    maxRecipients: 0,
    ...(envelope.dsn && { dsn: envelope.dsn }),
    ...(envelope.requireTLSExtensionEnabled && { requireTLSExtensionEnabled: true }),
  });
  Object.assign(mail.data, { signal: options.signal });
  Object.assign(mail.message, {
    createReadStream: () => bodies.open(),
    getEnvelope: () => bodies.envelope(),
  });
  return mail;
}

/**
 * For a transport that builds a request of its own. Of what nodemailer allows as `raw`, only text and
 * bytes are understood by every plugin; and a request that holds the message takes its memory anyway.
 */
async function wholeOf(message: Message, signal: AbortSignal): Promise<string | Buffer> {
  if (typeof message === 'string') return message;
  if (message instanceof Uint8Array) return Buffer.from(message.buffer, message.byteOffset, message.length);
  const pieces: unknown[] = await addAbortSignal<Readable>(signal, message.open()).toArray();
  return Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : (piece as Uint8Array))));
}

/** nodemailer's Mail composes, and hands to its transport: which is where we take it from. */
function composed(data: object): Promise<NodemailerMail> {
  return new Promise((resolve, reject) => {
    const mailer = new Mailer({ name: 'smtp-routes', version: '0', send: resolve });
    mailer.sendMail(data, (error) => {
      if (error) reject(error);
    });
  });
}

/** An app that rendered the message itself has none to give. */
function hasParts(original: NodemailerMail | undefined): boolean {
  return original !== undefined && !(original.data as { raw?: unknown }).raw;
}

/**
 * The parts for a transport that builds a message of its own from them. It must send to none but
 * these recipients: others may have the message already, or get it by another way.
 */
function partsOf(original: NodemailerMail, to: readonly string[]): object {
  const {
    to: _to,
    cc: _cc,
    bcc: _bcc,
    signal: _signal,
    raw: _raw,
    dkim: _dkim,
    ...parts
  } = original.data as Record<string, unknown>;
  const whole = original.message.getEnvelope() as { to?: readonly string[] };
  const same = whole.to?.length === to.length && !('envelope' in parts);
  return { ...parts, ...(same ? { to: _to, cc: _cc, bcc: _bcc } : { to }) };
}
