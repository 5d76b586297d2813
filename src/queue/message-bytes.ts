/**
 * The bytes of a message as a store takes them: in pieces of a bounded size, with a limit on the
 * whole, from bytes or from a stream that is read no faster than it is stored.
 */
import type { Message } from '../delivery/relay-transport.js';

/** Small enough to be written, or read, in one go without anybody noticing. */
export const PIECE_BYTES: number = 256 * 1024;

/** The message is larger than the queue takes (RFC 3463 5.3.4). Nothing was stored. */
export class MessageTooLargeError extends Error {
  override readonly name = 'MessageTooLargeError';
  readonly code = 'ERR_SMTP_ROUTES_MESSAGE_TOO_LARGE';
}

/** @throws {MessageTooLargeError} */
function checkSize(size: number, limit: number): void {
  if (size > limit) {
    throw new MessageTooLargeError(`the message is larger than maxMessageBytes (${String(limit)} bytes)`);
  }
}

/** A copy of the message in one piece, if it is held in memory anyway and no larger than that. */
export function onePiece(message: Message, limit: number): Uint8Array | undefined {
  if (typeof message !== 'string' && !(message instanceof Uint8Array)) return undefined;
  const bytes = typeof message === 'string' ? Buffer.from(message) : message;
  checkSize(bytes.byteLength, limit);
  if (bytes.byteLength > PIECE_BYTES) return undefined;
  return bytes === message ? Buffer.from(bytes) : bytes;
}

/**
 * Pieces of `PIECE_BYTES`, the last one shorter; none for an empty message.
 *
 * @throws {MessageTooLargeError} as soon as the limit is passed
 */
export async function* pieces(message: Message, limit: number): AsyncGenerator<Uint8Array, void, undefined> {
  if (typeof message === 'string' || message instanceof Uint8Array) {
    const bytes = typeof message === 'string' ? Buffer.from(message) : message;
    checkSize(bytes.byteLength, limit);
    for (let at = 0; at < bytes.byteLength; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
    return;
  }
  if (message.size !== undefined) checkSize(message.size, limit);
  let parts: Uint8Array[] = [];
  let held = 0;
  let size = 0;
  for await (const chunk of message.open() as AsyncIterable<Uint8Array | string>) {
    let bytes: Uint8Array = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    size += bytes.byteLength;
    checkSize(size, limit);
    while (held + bytes.byteLength >= PIECE_BYTES) {
      const room = PIECE_BYTES - held;
      yield Buffer.concat([...parts, bytes.subarray(0, room)]);
      bytes = bytes.subarray(room);
      parts = [];
      held = 0;
    }
    if (bytes.byteLength > 0) parts.push(bytes);
    held += bytes.byteLength;
  }
  if (held > 0) yield Buffer.concat(parts);
}
