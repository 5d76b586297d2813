/**
 * The message as a stream that tells how far it got. nodemailer reports a connection lost before
 * DATA and one lost after the final dot with the same error; what tells them apart is whether the
 * body was begun, and whether it was read to its end, at the moment of the error. That only works
 * with a stream that is read on demand, in pieces that the socket has to ask for, and with a look
 * at what the server says between two of them: a socket whose buffer has room takes megabytes in
 * one turn of the event loop, and an answer to the first piece would come too late to be told apart.
 */
import { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Message, MessageSource } from '../delivery/relay-transport.js';

/** Larger pieces would let the stream end while most of it is still in memory. */
const MAX_CHUNK = 65_536;

/** How far a body has been read. */
export interface BodyProgress {
  readonly began: boolean;
  /** All of it was handed over: from here on the final dot may be on its way. */
  readonly ended: boolean;
  /** Octets handed over so far. */
  readonly produced: number;
}

export interface MessageBody {
  readonly stream: Readable;
  readonly progress: BodyProgress;
}

/** @param onBegin called at the first read, which nodemailer makes once the server asks for the message */
export function openBody(message: Message, onBegin: () => void): MessageBody {
  if (typeof message === 'string') return bytesBody(Buffer.from(message), onBegin);
  return message instanceof Uint8Array ? bytesBody(message, onBegin) : sourceBody(message, onBegin);
}

/** Octets of a message, where they are known before it is read. */
export function sizeOf(message: Message): number | undefined {
  return typeof message === 'string' ? Buffer.byteLength(message) : 'open' in message ? message.size : message.length;
}

class BytesStream extends Readable implements BodyProgress {
  began = false;
  produced = 0;
  readonly #bytes: Uint8Array;
  readonly #onBegin: () => void;

  constructor(bytes: Uint8Array, onBegin: () => void) {
    super({ highWaterMark: MAX_CHUNK });
    this.#bytes = bytes;
    this.#onBegin = onBegin;
  }

  get ended(): boolean {
    return this.readableEnded;
  }

  override _read(): void {
    if (this.began && this.#bytes.length > MAX_CHUNK) {
      setImmediate(() => {
        if (!this.destroyed) this.#next();
      });
      return;
    }
    if (!this.began) {
      this.began = true;
      this.#onBegin();
    }
    this.#next();
  }

  #next(): void {
    const start = this.produced;
    if (start === this.#bytes.length) {
      this.push(null);
      return;
    }
    const chunk = this.#bytes.subarray(start, start + MAX_CHUNK);
    this.produced += chunk.length;
    this.push(chunk);
  }
}

function bytesBody(bytes: Uint8Array, onBegin: () => void): MessageBody {
  const stream = new BytesStream(bytes, onBegin);
  return { stream, progress: stream };
}

function sourceBody(source: MessageSource, onBegin: () => void): MessageBody {
  let began = false;
  let produced = 0;
  let sinceTurn = 0;
  async function* chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    began = true;
    onBegin();
    for await (const piece of source.open() as AsyncIterable<Uint8Array | string>) {
      const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece;
      for (let start = 0; start < bytes.length; start += MAX_CHUNK) {
        const chunk = bytes.subarray(start, start + MAX_CHUNK);
        if (sinceTurn + chunk.length > MAX_CHUNK) {
          await nextTurn();
          sinceTurn = 0;
        }
        sinceTurn += chunk.length;
        produced += chunk.length;
        yield chunk;
      }
    }
  }
  const stream = Readable.from(chunks(), { objectMode: false, highWaterMark: MAX_CHUNK });
  const progress: BodyProgress = {
    get began() {
      return began;
    },
    get ended() {
      return stream.readableEnded;
    },
    get produced() {
      return produced;
    },
  };
  return { stream, progress };
}
