/**
 * nodemailer's connection, taken step by step.
 *
 * nodemailer tells the end of a step in up to four ways (a callback, `error`, `end`, or never), in
 * an order that differs between its versions. So each step settles on the first sign, whatever it
 * is, and everything is read in that very turn; later signs are ignored.
 */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { AbortReason, ConnectionInfo } from '../delivery/relay-transport.js';
import { abortError } from './abort-error.js';
import { limitReplies } from './reply-limit.js';
import { SMTPConnection, type ConnectionOptions, type MailError, type SendInfo } from './smtp-connection.js';

/** How long to wait for the answer to RSET or QUIT, which nobody else waits for. */
export const COURTESY_MS = 5_000;

export class SmtpDialogue {
  readonly connection: SMTPConnection;
  /** Called once, when the connection has ended or was ended. */
  onDead: (() => void) | undefined;
  /** Hears of the next sign of trouble; none while idle. */
  #onTrouble: ((error: MailError) => void) | undefined;
  #dead = false;
  #resting = false;
  #restTimer: NodeJS.Timeout | undefined;

  constructor(options: ConnectionOptions) {
    this.connection = new SMTPConnection(options);
    limitReplies(this.connection, options, () => {
      this.#trouble(Object.assign(new Error('a reply exceeds the maximum size'), { code: 'EPROTOCOL' }));
      this.destroy();
    });
    this.connection.on('error', (error: MailError) => {
      this.#trouble(error);
    });
    this.connection.on('end', () => {
      // nodemailer 10 may say `end` just before it hands over a definite reply.
      queueMicrotask(() => {
        this.#trouble(Object.assign(new Error('the server closed the connection'), { code: 'ECONNECTION' }));
      });
    });
  }

  get dead(): boolean {
    return this.#dead;
  }

  /** Read late: STARTTLS replaces it. */
  get socket(): Socket | undefined {
    return this.connection._socket || undefined;
  }

  /**
   * One step: `finish` is called once, at the first sign that it is over.
   *
   * @param pastAbort whether an abort must no longer interrupt; a `TimeoutError` always does
   */
  step(
    signal: AbortSignal,
    finish: (error: MailError | undefined, info?: SendInfo) => void,
    pastAbort: () => boolean = () => false,
  ): (error?: MailError, info?: SendInfo) => void {
    let over = false;
    const done = (error?: MailError, info?: SendInfo): void => {
      if (over) return;
      over = true;
      this.#onTrouble = undefined;
      signal.removeEventListener('abort', onAbort);
      limit?.removeEventListener('abort', onLimit);
      finish(error, info);
    };
    let limit: AbortSignal | undefined;
    const onLimit = (): void => {
      if (limit) done(abortError(limit));
    };
    const onAbort = (): void => {
      const error = abortError(signal);
      if (error.code === 'ETIMEDOUT' || !pastAbort()) {
        done(error);
        return;
      }
      ({ limit } = signal.reason as AbortReason);
      limit?.addEventListener('abort', onLimit);
    };
    this.#onTrouble = done;
    if (signal.aborted) queueMicrotask(onAbort);
    else signal.addEventListener('abort', onAbort);
    return done;
  }

  /** Says QUIT and closes. Does not wait, and does not keep the process alive. */
  quit(): void {
    if (this.#dead) return;
    this.#end();
    const { socket } = this;
    const timer = setTimeout(() => socket?.destroy(), COURTESY_MS).unref();
    socket?.once('close', () => {
      clearTimeout(timer);
    });
    socket?.unref();
    this.connection.quit();
  }

  /** Closes at once. nodemailer's `close()` alone would send what is still queued, the final dot too. */
  destroy(): void {
    const { socket } = this;
    this.connection.close();
    socket?.destroy();
    this.#end();
  }

  /** Idle from now on: says QUIT after `idleMs`, and does not keep the process alive. */
  rest(idleMs: number): void {
    this.#resting = true;
    this.socket?.unref();
    // One timer for all rests: it runs on while the session works, and then finds it awake.
    if (this.#restTimer) this.#restTimer.refresh();
    else
      this.#restTimer = setTimeout(() => {
        if (this.#resting) this.quit();
      }, idleMs).unref();
  }

  wake(): void {
    this.#resting = false;
    this.socket?.ref();
  }

  /** nodemailer 8 and 9 put `ESOCKET` in the place of why a certificate was refused; the socket still knows. */
  explained(error: MailError): MailError {
    const { authorizationError: why } = (this.socket ?? {}) as { authorizationError?: unknown };
    if (error.code !== 'ESOCKET' || error.originalCode !== undefined || typeof why !== 'string') return error;
    return Object.assign(error, { originalCode: why });
  }

  /** Copied while the socket lives: a destroyed one has forgotten its addresses. */
  describe(connection: number): ConnectionInfo {
    const socket = this.socket as TLSSocket | undefined;
    const encrypted = socket?.encrypted ? socket : undefined;
    const protocol = encrypted?.getProtocol();
    // Undefined before the handshake is over, which the types do not say.
    const cipher = encrypted?.getCipher() as { readonly name: string } | undefined;
    return {
      connection,
      ...(socket?.remoteAddress !== undefined && { address: socket.remoteAddress }),
      ...(socket?.localAddress !== undefined && { localAddress: socket.localAddress }),
      ...(protocol && cipher && { tls: { protocol, cipher: cipher.name } }),
    };
  }

  #end(): void {
    if (this.#dead) return;
    this.#dead = true;
    clearTimeout(this.#restTimer);
    this.onDead?.();
  }

  #trouble(error: MailError): void {
    const heard = this.#onTrouble;
    if (heard) heard(error);
    else this.#end();
  }
}
