/**
 * Finds the end of a message body and takes the dot-stuffing off (RFC 5321 4.5.2). Only
 * CRLF.CRLF ends a body: servers that also took bare line feeds let mail be smuggled in.
 */

const END = Buffer.from('\r\n.\r\n');
const STUFFED = Buffer.from('\r\n.');
/** The body follows the CRLF of the DATA command, so that a first line of one dot ends it too. */
const START = Buffer.from('\r\n');

export class BodyReader {
  readonly #keep: boolean;
  #chunks: Buffer[] = [START];
  #tail: Buffer = START;
  #received = 0;

  /** Without `keep` the bytes are counted and let go. */
  constructor(keep: boolean) {
    this.#keep = keep;
  }

  /** Bytes of the body so far, as they came. */
  get received(): number {
    return this.#received;
  }

  /** Takes bytes. Answers what follows the end of the body, once that was seen. */
  push(chunk: Buffer): Buffer | undefined {
    const seam = Buffer.concat([this.#tail, chunk.subarray(0, END.length - 1)]).indexOf(END);
    const at = seam >= 0 ? seam - this.#tail.length : chunk.indexOf(END);
    const found = seam >= 0 || at >= 0;
    const mine = found ? chunk.subarray(0, at + END.length) : chunk;
    this.#received += mine.length;
    if (this.#keep) this.#chunks.push(mine);
    if (found) return chunk.subarray(mine.length);
    const last = chunk.length < END.length - 1 ? Buffer.concat([this.#tail, chunk]) : chunk;
    this.#tail = last.subarray(-(END.length - 1));
    return undefined;
  }

  /** The message as its sender meant it. Empty without `keep`. */
  message(): Buffer {
    if (!this.#keep) return Buffer.alloc(0);
    const all = Buffer.concat(this.#chunks);
    const end = all.length - END.length + START.length;
    const parts: Buffer[] = [];
    let from = START.length;
    for (let at = all.indexOf(STUFFED); at >= 0 && at + START.length < end; at = all.indexOf(STUFFED, at + 1)) {
      parts.push(all.subarray(from, at + START.length));
      from = at + STUFFED.length;
    }
    parts.push(all.subarray(from, end));
    return parts.length === 1 ? (parts[0] ?? all) : Buffer.concat(parts);
  }
}
