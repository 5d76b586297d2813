/**
 * An end to replies that never end. nodemailer 10 sets one itself; 8 and 9 collect such a reply for
 * as long as it comes, in a way whose cost grows with the square of its lines: a hostile server
 * stops the whole process within a second.
 */
import { nodemailerMajor, type ConnectionOptions, type SMTPConnection } from './smtp-connection.js';

/** As in nodemailer 10. */
const DEFAULT_MAX_BYTES = 1024 * 1024;
/** The longest honest reply, to EHLO, has some twenty. */
const MAX_LINES = 1000;

/** Calls `onExceeded`, instead of letting nodemailer read on, at the first chunk that makes a reply too long. */
export function limitReplies(connection: SMTPConnection, options: ConnectionOptions, onExceeded: () => void): void {
  // Internal, and the only place in 8 and 9 that sees what is received from the greeting on, over TLS too.
  const reader = connection as unknown as { _onData?: (chunk: Buffer) => void };
  const read = reader._onData;
  if (nodemailerMajor >= 10 || typeof read !== 'function') return;
  const fits = replyCounter(options.maxResponseSize ?? DEFAULT_MAX_BYTES);
  reader._onData = (chunk) => {
    if (fits(chunk)) read.call(connection, chunk);
    else onExceeded();
  };
}

/** Counts what has come of the reply that is not complete yet. False once it is too long. */
export function replyCounter(maxBytes: number): (chunk: Buffer) => boolean {
  let bytes = 0;
  let count = 0;
  return (chunk) => {
    const lines = chunk.toString('latin1').split('\n');
    const unfinished = lines.pop() ?? '';
    for (const line of lines) {
      bytes += line.length + 1;
      count++;
      if (bytes > maxBytes || count > MAX_LINES) return false;
      if (/^\d+-/.test(line)) continue;
      bytes = 0;
      count = 0;
    }
    bytes += unfinished.length;
    return bytes <= maxBytes;
  };
}
