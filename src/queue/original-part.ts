/**
 * The part of a bounce that holds the original: all of a small message, else its headers. No more
 * is read than is quoted.
 */
import type { DsnParameters, Message } from '../delivery/relay-transport.js';

/** Messages up to this size go back whole. Octets. */
const WHOLE_LIMIT = 10 * 1024;

/** Headers longer than this are cut at the end of a line. Octets. */
const HEADERS_LIMIT = 64 * 1024;

export interface OriginalPart {
  readonly holds: 'message' | 'headers';
  readonly contentType: string;
  readonly bytes: Buffer;
  /** Whether octets beyond ASCII are in it, as 8BITMIME and SMTPUTF8 allow. */
  readonly is8bit: boolean;
  /** `<…>` of the original, if it has a sound one. */
  readonly messageId?: string;
}

/** Undefined if the message cannot be read any more: a bounce without it is better than none. */
export async function originalPart(message: Message, ret: DsnParameters['ret']): Promise<OriginalPart | undefined> {
  let start: Buffer;
  try {
    start = await beginning(message, HEADERS_LIMIT);
  } catch {
    return undefined;
  }
  const headers = headersOf(start);
  const isWhole = start.length < WHOLE_LIMIT && ret?.toUpperCase() !== 'HDRS';
  const bytes = isWhole ? start : headers;
  const is8bit = bytes.some((octet) => octet > 0x7f);
  const hasGlobalHeaders = headers.some((octet) => octet > 0x7f);
  const messageId = /^message-id:\s*(<[!-;=?-~]{1,250}>)/im.exec(headers.toString('latin1'))?.[1];
  return {
    holds: isWhole ? 'message' : 'headers',
    // RFC 6533 6.3: headers beyond ASCII have types of their own.
    contentType: isWhole
      ? hasGlobalHeaders
        ? 'message/global'
        : 'message/rfc822'
      : hasGlobalHeaders
        ? 'message/global-headers'
        : 'text/rfc822-headers',
    bytes,
    is8bit,
    ...(messageId !== undefined && { messageId }),
  };
}

/** Up to `limit` octets, a little more where a stream gives them in one piece. */
async function beginning(message: Message, limit: number): Promise<Buffer> {
  if (typeof message === 'string') return Buffer.from(message);
  if (message instanceof Uint8Array) return Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  const pieces: Buffer[] = [];
  let length = 0;
  // Leaving the loop destroys the stream.
  for await (const piece of message.open() as AsyncIterable<Uint8Array | string>) {
    const bytes = Buffer.from(piece);
    pieces.push(bytes);
    length += bytes.length;
    if (length >= limit) break;
  }
  return Buffer.concat(pieces);
}

/** Up to the empty line, it not included. */
function headersOf(start: Buffer): Buffer {
  const ends = ['\r\n\r\n', '\n\n'].map((end) => start.indexOf(end)).filter((at) => at >= 0);
  const end = Math.min(...ends, start.length);
  if (end <= HEADERS_LIMIT) return start.subarray(0, end);
  const cut = start.subarray(0, HEADERS_LIMIT);
  return cut.subarray(0, cut.lastIndexOf('\n') + 1);
}
