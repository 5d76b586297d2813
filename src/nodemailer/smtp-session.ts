/**
 * One SMTP session: opened once, used for one message at a time. It reports what was seen; what
 * that means is `judge-send.ts`.
 */
import type { Socket } from 'node:net';
import { needsSmtpUtf8 } from '../core/address.js';
import type { Failure } from '../core/failure.js';
import type {
  ConnectionInfo,
  Envelope,
  Message,
  RecipientReport,
  TransportEvent,
} from '../delivery/relay-transport.js';
import type { PreparedConnection } from './connection-options.js';
import { extensionsOf, NEEDS_SMTPUTF8 } from './ehlo.js';
import { FinalReplyPatience } from './final-reply-patience.js';
import { isStale, judgeSend } from './judge-send.js';
import { openBody, sizeOf, type BodyProgress } from './message-body.js';
import { openFailure } from './open-failure.js';
import type { ConnectionAuth, ConnectionEnvelope, MailError, SendInfo } from './smtp-connection.js';
import { withoutSecrets } from './without-secrets.js';
import { COURTESY_MS, SmtpDialogue } from './smtp-dialogue.js';

/** A body and its final dot up to this size leave in one segment. */
const MAX_CORKED = 65_536;

/** How a send ended. `stale`: a reused connection was gone already, and the server saw nothing of the message. */
export interface SendResult {
  readonly reports: readonly RecipientReport[];
  readonly stale: boolean;
}

export class SmtpSession {
  readonly #dialogue: SmtpDialogue;
  readonly #patience: FinalReplyPatience;
  readonly #number: number;
  #info: ConnectionInfo | undefined;
  #takenAgain: TransportEvent | undefined;
  #extensions: ReadonlySet<string> = new Set();
  #needsReset = false;
  #sent = 0;

  constructor(prepared: PreparedConnection, number: number) {
    this.#patience = new FinalReplyPatience(prepared.socketTimeoutMs, prepared.finalReplyTimeoutMs);
    this.#number = number;
    this.#dialogue = new SmtpDialogue(prepared.options);
  }

  /** Addresses and encryption. Before the connection stands, only its number. */
  get info(): ConnectionInfo {
    return this.#info ?? this.#dialogue.describe(this.#number);
  }

  /** What to tell when it is used again: the same each time. */
  get takenAgain(): TransportEvent {
    this.#takenAgain ??= { type: 'connection-taken', reused: true, ...this.info };
    return this.#takenAgain;
  }

  get dead(): boolean {
    return this.#dialogue.dead;
  }

  /** Called once, when the connection has ended or was ended. */
  set onDead(listener: () => void) {
    this.#dialogue.onDead = () => {
      this.#patience.stop();
      listener();
    };
  }

  /** Messages sent over it so far, whatever became of them. */
  get sent(): number {
    return this.#sent;
  }

  /** Whether TCP ever connected, so that there is a connection to tell of. */
  get connected(): boolean {
    return this.info.address !== undefined;
  }

  /** Whether opening it failed in the TLS handshake, after the server had agreed to STARTTLS. */
  get failedToEncrypt(): boolean {
    return this.#dialogue.connection.upgrading === true;
  }

  /** Connects, greets, encrypts and logs in. Resolves with a failure if any of it fails; the session is dead then. */
  open(auth: ConnectionAuth | undefined, signal: AbortSignal): Promise<Failure | undefined> {
    return new Promise((resolve) => {
      const done = this.#dialogue.step(signal, (error) => {
        this.#info ??= this.#dialogue.describe(this.#number);
        const failure =
          error && openFailure(this.#dialogue.explained(error), this.#dialogue.connection.lastServerResponse);
        if (failure) this.destroy();
        resolve(failure && withoutSecrets(failure, auth));
      });
      this.#dialogue.connection.connect((error) => {
        if (error) done(error as MailError);
        else this.#greeted(auth, done);
      });
    });
  }

  #greeted(auth: ConnectionAuth | undefined, done: (error?: MailError) => void): void {
    // nodemailer 8 and 9 leave Nagle's algorithm on, which costs 40 ms a message.
    this.#dialogue.socket?.setNoDelay(true);
    this.#info = this.#dialogue.describe(this.#number);
    this.#extensions = extensionsOf(this.#dialogue.connection.lastServerResponse);
    if (!auth) done();
    else if (this.#dialogue.connection.allowsAuth) {
      this.#dialogue.connection.login(auth, (error) => {
        done((error as MailError | null) ?? undefined);
      });
    } else {
      // Sending unauthenticated would earn a 5xx for the mail, where only the relay is at fault.
      done(Object.assign(new Error('the server does not offer AUTH'), { code: 'ENOAUTH', command: 'AUTH' }));
    }
  }

  /** Sends one message. Always resolves; the session can be used again unless it is dead then. */
  send(envelope: Envelope, message: Message, signal: AbortSignal): Promise<SendResult> {
    const { to, refused } = this.#withoutUnsendable(envelope);
    if (to.length === 0) return Promise.resolve({ reports: refused, stale: false });
    if (refused.length === 0 && !this.#needsReset) return this.#transact(envelope, message, signal);
    return this.#resetAndSend({ ...envelope, to }, refused, message, signal);
  }

  async #resetAndSend(
    envelope: Envelope,
    refused: readonly RecipientReport[],
    message: Message,
    signal: AbortSignal,
  ): Promise<SendResult> {
    const error = this.#needsReset ? await this.#reset(signal) : undefined;
    if (error) {
      const nothing = { rejectedErrors: [], body: UNTOUCHED, written: undefined, answered: false };
      const { reports } = judgeSend({ recipients: envelope.to, error, ...nothing });
      return { reports: [...reports, ...refused], stale: true };
    }
    const { reports, stale } = await this.#transact(envelope, message, signal);
    return { reports: [...reports, ...refused], stale };
  }

  /** RFC 6531 3.2: an address that needs SMTPUTF8 is never sent to a server that does not offer it. */
  #withoutUnsendable({ from, to }: Envelope): { to: readonly string[]; refused: RecipientReport[] } {
    if (this.#extensions.has('SMTPUTF8')) return { to, refused: [] };
    const all = needsSmtpUtf8(from);
    const unsendable = to.filter((recipient) => all || needsSmtpUtf8(recipient));
    if (unsendable.length === 0) return { to, refused: [] };
    return {
      to: to.filter((recipient) => !unsendable.includes(recipient)),
      refused: unsendable.map((recipient) => ({ recipient, failure: NEEDS_SMTPUTF8 })),
    };
  }

  #transact({ to, ...envelope }: Envelope, message: Message, signal: AbortSignal): Promise<SendResult> {
    const { connection, socket } = this.#dialogue;
    const reused = this.#sent > 0;
    this.#sent++;
    let writtenBefore: number | undefined;
    const size = sizeOf(message);
    const body = openBody(message, () => {
      writtenBefore = socket?.bytesWritten ?? 0;
      if (size !== undefined && size <= MAX_CORKED) corkForThisTurn(socket);
    });
    body.stream.on('error', () => undefined);
    // After the body the server may take its time (RFC 5321 4.5.3.2.6).
    let heardBefore = Infinity;
    body.stream.once('end', () => {
      heardBefore = socket?.bytesRead ?? 0;
      if (socket) this.#patience.begin(socket);
    });
    // nodemailer writes its findings into the envelope it is given, and leaves them there after a loss.
    const tracked: ConnectionEnvelope & { rejectedErrors?: MailError[] } = {
      ...(envelope as Omit<ConnectionEnvelope, 'to'>),
      to: [...to],
      size,
    };
    connection.lastServerResponse = false;

    return new Promise((resolve) => {
      const finish = (error: MailError | undefined, info?: SendInfo): void => {
        const { progress } = body;
        const written = writtenBefore === undefined ? undefined : (socket?.bytesWritten ?? 0) - writtenBefore;
        const stale = reused && error !== undefined && !progress.began && isStale(error, connection.lastServerResponse);
        const judged = judgeSend({
          recipients: to,
          response: info?.response,
          error,
          rejectedErrors: error?.rejectedErrors ?? info?.rejectedErrors ?? tracked.rejectedErrors ?? [],
          body: progress,
          written,
          answered: (socket?.bytesRead ?? 0) > heardBefore,
        });
        this.#patience.end();
        if (judged.fate === 'drop' || stale || this.dead) this.destroy();
        this.#needsReset = judged.fate === 'reset';
        if (error || !progress.ended) body.stream.destroy();
        resolve({ reports: judged.reports, stale });
      };
      const done = this.#dialogue.step(signal, finish, () => body.progress.ended);
      connection.send(tracked, body.stream, (error, info) => {
        done((error as MailError | null) ?? undefined, info);
      });
    });
  }

  /** A refused envelope stays open on the server until RSET. If the server does not go along, the error, and the session is dead. */
  async #reset(signal: AbortSignal): Promise<MailError | undefined> {
    const error = await new Promise<MailError | undefined>((resolve) => {
      const done = this.#dialogue.step(AbortSignal.any([signal, AbortSignal.timeout(COURTESY_MS)]), resolve);
      this.#dialogue.connection.reset((refused) => {
        done((refused as MailError | null) ?? undefined);
      });
    });
    this.#needsReset = false;
    if (error) this.destroy();
    return error;
  }

  /** Says QUIT and closes. Does not wait, and does not keep the process alive. */
  quit(): void {
    this.#dialogue.quit();
  }

  destroy(): void {
    this.#dialogue.destroy();
  }

  /** Idle from now on: says QUIT after `idleMs`, and does not keep the process alive. */
  rest(idleMs: number): void {
    this.#dialogue.rest(idleMs);
  }

  wake(): void {
    this.#dialogue.wake();
  }
}

const UNTOUCHED: BodyProgress = { began: false, ended: false, produced: 0 };

/** Body and dot in one segment: nodemailer writes them in one turn, as two small packets. */
function corkForThisTurn(socket: Socket | undefined): void {
  socket?.cork();
  setImmediate(() => socket?.uncork());
}
