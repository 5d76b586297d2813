/**
 * The part of a bounce that holds the original: all of a small message, else its headers. No more
 * is read than is quoted.
 */
import { isAscii, isUtf8 } from 'node:buffer';
import type { DsnParameters, Message } from '../../delivery/relay-transport.js';

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
  const { start: stored, isBroken } = await beginning(message, HEADERS_LIMIT);
  if (isBroken && stored.length === 0) return undefined;
  const start = withLineBreaksOfMail(stored);
  const headers = headersOf(start);
  const isSmall = !isBroken && stored.length < WHOLE_LIMIT;
  const isWhole = isSmall && ret?.toUpperCase() !== 'HDRS' && isUtf8(headers) && fitsUnencoded(start);
  const bytes = isWhole ? start : headers;
  const is8bit = !isAscii(bytes);
  // What is no UTF-8, or does not fit, goes as text, which gets encoded.
  const hasGlobalHeaders = !isAscii(headers) && isUtf8(headers) && fitsUnencoded(headers);
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

interface Beginning {
  readonly start: Buffer;
  /** Reading failed behind it. */
  readonly isBroken: boolean;
}

/** At most `limit` octets. */
async function beginning(message: Message, limit: number): Promise<Beginning> {
  if (typeof message === 'string')
    return { start: Buffer.from(message.slice(0, limit)).subarray(0, limit), isBroken: false };
  if (message instanceof Uint8Array) return { start: Buffer.from(message.subarray(0, limit)), isBroken: false };
  const pieces: Buffer[] = [];
  let length = 0;
  let isBroken = false;
  try {
    // Leaving the loop destroys the stream.
    for await (const piece of message.open() as AsyncIterable<Uint8Array | string>) {
      const bytes = Buffer.from(piece.slice(0, limit - length)).subarray(0, limit - length);
      pieces.push(bytes);
      length += bytes.length;
      if (length >= limit) break;
    }
  } catch {
    isBroken = true;
  }
  return { start: Buffer.concat(pieces), isBroken };
}

/** A stored message may have others, and a bare CR or LF does not survive SMTP. */
function withLineBreaksOfMail(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('latin1').replace(/\r\n|\r|\n/g, '\r\n'), 'latin1');
}

/** Octets of a line without its end (RFC 5322 2.1.1). */
const MAX_LINE = 998;

/** Whether a server can take it as it is: a message within a message is not encoded (RFC 2046 5.2.1). */
function fitsUnencoded(bytes: Buffer): boolean {
  return (
    !bytes.includes(0) &&
    bytes
      .toString('latin1')
      .split('\r\n')
      .every((line) => line.length <= MAX_LINE)
  );
}

/** Up to the empty line, without it; if it is too far away, up to the last line that is complete. */
function headersOf(start: Buffer): Buffer {
  const end = start.indexOf('\r\n\r\n');
  if (end >= 0) return start.subarray(0, end + 2);
  return start.length < HEADERS_LIMIT ? start : start.subarray(0, start.lastIndexOf('\n') + 1);
}
