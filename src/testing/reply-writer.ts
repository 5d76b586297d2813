/**
 * Sends what a test server says: together for commands that came together, or late, or one byte at
 * a time. What must follow a reply (hanging up, turning to TLS) goes through here too, so that it
 * can never overtake it.
 */
import type { Socket } from 'node:net';

export interface ReplyPace {
  /** Sends each byte in a packet of its own. */
  readonly splitReplies: boolean;
  /** Holds each reply back for so long. */
  readonly latencyMs: number;
}

type Item = string | (() => void);

export class ReplyWriter {
  readonly #pace: ReplyPace;
  #socket: Socket;
  #held = '';
  readonly #pieces: Item[] = [];

  constructor(socket: Socket, pace: ReplyPace) {
    this.#socket = socket;
    this.#pace = pace;
  }

  /** Turns to the socket that speaks TLS over the old one. */
  use(socket: Socket): void {
    this.#socket = socket;
  }

  /** Holds bytes (as Latin-1) until `flush`. */
  write(bytes: string): void {
    this.#held += bytes;
  }

  flush(): void {
    if (this.#held === '') return;
    const bytes = this.#held;
    this.#held = '';
    this.#send(bytes);
  }

  /** Does something after everything written so far was sent. */
  then(action: () => void): void {
    this.flush();
    this.#send(action);
  }

  #send(item: Item): void {
    // Timers of one length fire in the order they were set, so late replies keep theirs.
    if (this.#pace.latencyMs > 0) setTimeout(() => this.#pass(item), this.#pace.latencyMs).unref();
    else this.#pass(item);
  }

  #pass(item: Item): void {
    if (!this.#pace.splitReplies) return this.#perform(item);
    const idle = this.#pieces.length === 0;
    for (const piece of typeof item === 'string' ? item : [item]) this.#pieces.push(piece);
    if (idle) this.#next();
  }

  #next(): void {
    const piece = this.#pieces[0];
    if (piece === undefined) return;
    this.#perform(piece);
    setImmediate(() => {
      this.#pieces.shift();
      this.#next();
    });
  }

  #perform(item: Item): void {
    if (typeof item !== 'string') item();
    else if (this.#socket.writable) this.#socket.write(item, 'latin1');
  }
}
