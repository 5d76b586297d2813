/**
 * The bodies of messages on an engine: short ones kept with the record, long ones in the app's
 * `MessageStore`, read and written piece by piece.
 */
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { errorMessage } from '../../core/error-message.js';
import type { Message } from '../../delivery/relay-transport.js';
import { onePiece, pieces } from '../message-bytes.js';
import type { Engine } from './engine.js';
import type { MailRecord } from './mail-record.js';
import { INLINE_BYTES, type MessageStore } from './message-store.js';

/** A body ready to become a message's. */
export type TakenBody = { readonly inline: Uint8Array } | { readonly key: string; readonly size: number };

/** A body of nobody is swept after so long: whoever put it has added the message by then, or is dead. */
const ORPHAN_MS = 24 * 3_600_000;
const SWEEP_EVERY_MS = 3_600_000;

export class EngineBodies {
  readonly #engine: Engine;
  readonly #messages: MessageStore;
  readonly #limit: number;
  #sweptAt = -Infinity;

  constructor(engine: Engine, messages: MessageStore, maxMessageBytes: number) {
    this.#engine = engine;
    this.#messages = messages;
    this.#limit = maxMessageBytes;
  }

  /** @throws {MessageTooLargeError} and whatever reading or storing throws; then nothing is stored */
  async take(message: Message, limit: number = this.#limit): Promise<TakenBody> {
    const whole = onePiece(message, limit);
    if (whole) return { inline: whole };
    const all = pieces(message, limit);
    const first = await all.next();
    if (first.done) return { inline: new Uint8Array() };
    if (first.value.byteLength < INLINE_BYTES) return { inline: first.value };
    const key = randomUUID();
    const count = { size: 0 };
    try {
      await this.#messages.put(key, counted(first.value, all, count));
    } catch (error) {
      await this.drop(key);
      throw error;
    }
    return { key, size: count.size };
  }

  /** What a delivery reads of what was just taken. */
  opened(body: TakenBody): Message {
    if ('inline' in body) return body.inline;
    return this.#stored(body.key, body.size);
  }

  /** Never rejects: what stays behind is swept. */
  async drop(key: string | undefined): Promise<void> {
    try {
      if (key !== undefined) await this.#messages.remove(key);
    } catch {
      // As said.
    }
  }

  /** The same for a body whose message may have been stored, by a step that was taken twice or whose end nobody heard of. */
  async dropUnowned(key: string | undefined): Promise<void> {
    if (key === undefined) return;
    const isOwned = await this.#engine.ownsBody(key).catch(() => true);
    if (!isOwned) await this.drop(key);
  }

  /** What deliveries read; in the order of the records, undefined for a body that is not there. */
  async open(
    records: readonly {
      readonly seq: number;
      readonly record: MailRecord;
      readonly inline?: Uint8Array | undefined;
    }[],
  ): Promise<(Message | undefined)[]> {
    const toRead = records.filter(({ record, inline }) => record.body === undefined && !inline).map(({ seq }) => seq);
    const read = toRead.length > 0 ? await this.#engine.inline(toRead) : new Map<number, Uint8Array>();
    return records.map(({ seq, inline, record }) => {
      const { size } = record.message;
      if (record.body !== undefined) return this.#stored(record.body, size);
      const bytes = inline ?? read.get(seq);
      return bytes && bytes.byteLength !== size ? whole(size, () => [bytes]) : bytes;
    });
  }

  #stored(key: string, size: number): Message {
    return whole(size, () => this.#messages.open(key));
  }

  /**
   * Removes bodies of nobody, now and then.
   *
   * @throws {Error} at the end, if any could not be removed; at once, if nobody can say whose they are
   */
  async sweep(now: number): Promise<void> {
    if (now - this.#sweptAt < SWEEP_EVERY_MS) return;
    this.#sweptAt = now;
    let cause: unknown;
    for await (const key of this.#messages.list(now - ORPHAN_MS)) {
      if (await this.#engine.ownsBody(key)) continue;
      try {
        await this.#messages.remove(key);
      } catch (error) {
        cause ??= error;
      }
    }
    if (cause !== undefined) throw new Error(`an unused body was not removed: ${errorMessage(cause)}`, { cause });
  }
}

/** To be read in the size it was stored in. Anything else is an error before the end, so that no server takes it. */
function whole(size: number, open: () => AsyncIterable<Uint8Array | string> | Iterable<Uint8Array>): Message {
  async function* read(): AsyncGenerator<Uint8Array | string, void, undefined> {
    let left = size;
    for await (const chunk of open()) {
      left -= Buffer.byteLength(chunk);
      if (left < 0) break;
      yield chunk;
    }
    if (left !== 0) throw new Error('the body is not of the size that was stored');
  }
  return { size, open: () => Readable.from(read(), { objectMode: false }) };
}

async function* counted(
  first: Uint8Array,
  rest: AsyncIterable<Uint8Array>,
  count: { size: number },
): AsyncGenerator<Uint8Array, void, undefined> {
  count.size += first.byteLength;
  yield first;
  for await (const piece of rest) {
    count.size += piece.byteLength;
    yield piece;
  }
}
