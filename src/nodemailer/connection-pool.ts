/**
 * The sessions of one relay: idle ones are used again, the most recently used first. How many may
 * be open is not decided here but where deliveries wait for their turn.
 */
import { isTooManyRecipients } from '../core/classify.js';
import type { Failure } from '../core/failure.js';
import type { Relay, SmtpVia } from '../core/relay.js';
import type { ConnectionInfo, Message, RecipientReport, TransportEvent } from '../delivery/relay-transport.js';
import type { AppMailer } from './app-side.js';
import { connectionAuth } from './auth.js';
import { prepareConnection } from './connection-options.js';
import { openFailure } from './open-failure.js';
import type { ConnectionAuth, MailError } from './smtp-connection.js';
import { SmtpSession } from './smtp-session.js';

export type OnTransportEvent = ((event: TransportEvent) => void) | undefined;

/** As nodemailer's pool. */
const DEFAULT_MAX_POOLED = 5;
/** What Postfix allows itself to one destination. */
const DEFAULT_MAX_UNPOOLED = 20;
const DEFAULT_MAX_MESSAGES = 100;
const DEFAULT_IDLE_MS = 30_000;

/** Numbers all connections of the process, as the appliance's DCID does. */
let lastConnection = 0;

/** The pools of a transport until it is closed, by those that have sessions: the others need not be remembered. */
export interface Pools {
  readonly inUse: Set<ConnectionPool>;
  closed: boolean;
}

/** Why there is no session. */
interface Unopened {
  readonly failure: Failure;
  readonly info: ConnectionInfo;
  readonly failedToEncrypt?: boolean;
}

export class ConnectionPool {
  readonly #relay: Relay;
  readonly #via: SmtpVia;
  readonly #auth: ConnectionAuth | undefined;
  readonly #idle: SmtpSession[] = [];
  /** Unpooled sessions that stay for this turn, for the recipients that there was no room for, by message. */
  readonly #unfinished = new Map<Message, SmtpSession>();
  #sessions = 0;
  readonly #pools: Pools;

  constructor(relay: Relay, via: SmtpVia, pools: Pools, mailer?: AppMailer) {
    this.#pools = pools;
    this.#relay = relay;
    this.#via = via;
    this.#auth = connectionAuth(via, mailer);
  }

  /** The most connections that should be open at once. */
  get limit(): number {
    return this.#via.maxConnections ?? (this.#via.pool ? DEFAULT_MAX_POOLED : DEFAULT_MAX_UNPOOLED);
  }

  /** An idle session that may send this message, if there is one. */
  takeIdle(message: Message): SmtpSession | undefined {
    const session = this.#idle.pop();
    if (session) session.wake();
    return session ?? this.#takeUnfinished(message);
  }

  #takeUnfinished(message: Message): SmtpSession | undefined {
    const session = this.#unfinished.get(message);
    this.#unfinished.delete(message);
    return session;
  }

  /** A new session, ready to send, or the failure and what is known of the connection. */
  async open(signal: AbortSignal, onEvent: OnTransportEvent): Promise<SmtpSession | Unopened> {
    const opened = await this.#connect(this.#via, signal, onEvent);
    if (!('failure' in opened) || !opened.failedToEncrypt || signal.aborted || !mayGoClear(this.#via)) return opened;
    return this.#connect({ ...this.#via, ignoreTLS: true }, signal, onEvent);
  }

  async #connect(via: SmtpVia, signal: AbortSignal, onEvent: OnTransportEvent): Promise<SmtpSession | Unopened> {
    const number = ++lastConnection;
    let session: SmtpSession;
    try {
      session = new SmtpSession(await prepareConnection(this.#relay, via, signal), number);
    } catch (error) {
      return { failure: openFailure(error as MailError, false), info: { connection: number } };
    }
    const failure = await session.open(this.#auth, signal);
    const { info } = session;
    if (session.connected) onEvent?.({ type: 'connection-opened', ...info });
    if (failure) {
      if (session.connected) onEvent?.({ type: 'connection-closed', connection: number, reason: 'failed' });
      return { failure, info, failedToEncrypt: session.failedToEncrypt };
    }
    this.#sessions++;
    this.#pools.inUse.add(this);
    session.onDead = () => {
      this.#forget(session);
      // In the next turn: a log should say what was sent before it says that the connection is closed.
      if (onEvent) setImmediate(onEvent, { type: 'connection-closed', connection: number });
    };
    return session;
  }

  /**
   * Takes a session back after a message. Without `pool` it stays open only if the server had no
   * room for some of the recipients, and for this turn: a further transaction with them follows at once.
   */
  giveBack(session: SmtpSession, message: Message, reports: readonly RecipientReport[]): void {
    const { pool = false, maxMessages = DEFAULT_MAX_MESSAGES, idleMs = DEFAULT_IDLE_MS } = this.#via;
    if (session.dead) return;
    if (this.#pools.closed || session.sent >= maxMessages) session.quit();
    else if (pool) {
      session.rest(idleMs);
      this.#idle.push(session);
    } else if (reports.some(({ failure }) => failure && isTooManyRecipients(failure))) {
      this.#unfinished.set(message, session);
      setImmediate(() => this.#takeUnfinished(message)?.quit());
    } else session.quit();
  }

  closeIdle(): void {
    for (const session of [...this.#idle]) session.quit();
  }

  #forget(session: SmtpSession): void {
    const index = this.#idle.indexOf(session);
    if (index >= 0) this.#idle.splice(index, 1);
    this.#sessions--;
    if (this.#sessions === 0) this.#pools.inUse.delete(this);
  }
}

/**
 * Opportunistic TLS that nobody verifies keeps out those who only listen: where the handshake fails,
 * a clear connection is as good as that of a server without STARTTLS (RFC 7435). Never with credentials, and
 * never where encryption or the certificate was asked for.
 */
function mayGoClear({ opportunisticTLS, requireTLS, secure, auth, customAuth, tls }: SmtpVia): boolean {
  const unverified = (tls as { rejectUnauthorized?: unknown } | undefined)?.rejectUnauthorized === false;
  return opportunisticTLS === true && unverified && !requireTLS && !secure && !auth && !customAuth;
}
