/**
 * The bodies and envelopes that a wrapped transport was handed for one message. It may ask for
 * several, as a pool does that tries again by itself: each is looked at, and none can be sent from
 * once the attempt is over, or once another may have been delivered.
 */
import { Readable } from 'node:stream';
import { sharedEnvelope } from '../delivery/mail.js';
import type { Envelope, Message } from '../delivery/relay-transport.js';
import { openBody, sizeOf, type MessageBody } from './message-body.js';
import type { RecipientError } from './smtp-connection.js';

/** nodemailer writes its findings into the envelope it is given, and leaves them there after a loss. */
interface TrackedEnvelope {
  readonly from: string | false;
  readonly to: string[];
  readonly rejectedErrors?: readonly RecipientError[];
}

export class WrappedBodies {
  readonly #message: Message;
  readonly #envelope: Envelope;
  readonly #bodies: MessageBody[] = [];
  readonly #envelopes: TrackedEnvelope[] = [];
  #sealed = false;

  constructor(message: Message, envelope: Envelope) {
    this.#message = message;
    this.#envelope = envelope;
  }

  /** Whether any byte was asked for. */
  get began(): boolean {
    return this.#bodies.some(({ progress }) => progress.began);
  }

  /** Whether all of a body was handed over, so that it may be delivered. */
  get ended(): boolean {
    return this.#bodies.some(({ progress }) => progress.ended);
  }

  /** What RCPT was answered, where the error does not say. */
  get rejectedErrors(): readonly RecipientError[] {
    return this.#envelopes.at(-1)?.rejectedErrors ?? [];
  }

  open(): Readable {
    if (this.#sealed || this.ended) return failing();
    this.#release();
    const body = openBody(this.#message, () => undefined);
    body.stream.on('error', () => undefined);
    this.#bodies.push(body);
    return body.stream;
  }

  envelope(): object {
    const { from, to } = this.#envelope;
    const envelope = {
      ...sharedEnvelope(this.#envelope, from),
      from: from === '' ? (false as const) : from,
      to: [...to],
      size: sizeOf(this.#message),
    };
    this.#envelopes.push(envelope);
    return envelope;
  }

  /**
   * From now on nothing can be read: what was not handed over to its end never will be.
   *
   * @param error makes nodemailer give the message up and close its connection. Not after an answer:
   * 8 and 9 have let go of the connection by then, and nobody would be listening.
   */
  seal(error?: Error): void {
    this.#sealed = true;
    this.#release(error);
  }

  #release(error?: Error): void {
    for (const { stream, progress } of this.#bodies) {
      if (!progress.ended) stream.destroy(error);
    }
  }
}

/** In place of a body that must not be sent: nodemailer gives such a message up, with `ESTREAM`. */
function failing(): Readable {
  const stream = new Readable({
    read() {
      this.destroy(attemptOver());
    },
  });
  stream.on('error', () => undefined);
  return stream;
}

/** What a transport is told of a message that was given up. */
export function attemptOver(): Error {
  return new Error('the attempt is over');
}
