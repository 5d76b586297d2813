/**
 * A server may take longer over its final reply than over any other (RFC 5321 4.5.3.2.6). To set
 * the socket's time-out for each message, and back, is dear; so one timer for all messages of a
 * session looks, shortly before the socket would give up, whether that reply is being waited for.
 */

/** The part of a socket that is used here. */
export interface Impatient {
  setTimeout(ms: number): unknown;
}

/** When to look: well before the socket's own timer. */
const LOOK_AFTER = 0.8;

export class FinalReplyPatience {
  readonly #usualMs: number;
  readonly #finalMs: number;
  #waiting: Impatient | undefined;
  #extended = false;
  #timer: NodeJS.Timeout | undefined;

  /** Milliseconds that the socket waits as a rule, and for a final reply. */
  constructor(usualMs: number, finalMs: number) {
    this.#usualMs = usualMs;
    this.#finalMs = finalMs;
  }

  /** The body is over, and so the wait for the final reply begins. */
  begin(socket: Impatient): void {
    if (this.#finalMs <= this.#usualMs) return;
    this.#waiting = socket;
    const lookAfterMs = this.#usualMs * LOOK_AFTER;
    if (this.#timer) this.#timer.refresh();
    else
      this.#timer = setTimeout(() => {
        this.#extended = this.#waiting !== undefined;
        this.#waiting?.setTimeout(this.#finalMs - lookAfterMs);
      }, lookAfterMs).unref();
  }

  /** The reply is there, or will not come. */
  end(): void {
    if (this.#extended) this.#waiting?.setTimeout(this.#usualMs);
    this.#extended = false;
    this.#waiting = undefined;
  }

  /** The session is over. */
  stop(): void {
    this.end();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
