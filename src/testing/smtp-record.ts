/**
 * What a test server remembers, for the assertions of a test.
 */

/** A message whose final dot arrived. */
export interface RecordedMessage {
  readonly from: string;
  /** The recipients it accepted, in order. */
  readonly to: readonly string[];
  /** The message without dot-stuffing, its last CRLF included. */
  readonly data: Buffer;
  /** Which connection it came over; 1 is the first. */
  readonly connection: number;
  /** The parameters of MAIL as written: `SIZE=1000 BODY=8BITMIME`. */
  readonly mailArgs: string;
  /** The parameters of RCPT, one entry for each of `to`. */
  readonly rcptArgs: readonly string[];
  readonly secure: boolean;
  /** Who had authenticated. */
  readonly user?: string;
}

/** One connection, live: its properties change while it is open. */
export interface RecordedSession {
  /** 1 for the first connection to this server. */
  readonly connection: number;
  /** Both sides, line by line: `S: 220 …`, `C: EHLO …`, and `C: (1234 bytes)` for a body. */
  readonly transcript: readonly string[];
  /** What the client wrote outside of bodies, line by line. */
  readonly commands: readonly string[];
  /** Messages whose final dot arrived. */
  readonly messages: number;
  readonly open: boolean;
  readonly secure: boolean;
  /** Whether a `stall` holds it up now. */
  readonly stalled: boolean;
  /** Whether the client ever sent a command before it had the reply to the last. */
  readonly pipelined: boolean;
}
