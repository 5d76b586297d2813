/**
 * The relay transport that speaks SMTP through the app's nodemailer: authentication, TLS, proxies
 * and the protocol are nodemailer's, connections and the truth about phases are ours.
 */
import { checkOptions, type Check } from '../core/check-options.js';
import { Problems } from '../core/config-error.js';
import type { Failure } from '../core/failure.js';
import type { GetSocket, Relay, SmtpVia, TransportVia } from '../core/relay.js';
import { SMTP_VIA_CHECKS } from '../core/smtp-via-options.js';
import type { Envelope, RecipientReport, RelayTransport, SendRequest } from '../delivery/relay-transport.js';
import type { AppMailer, AppSide } from './app-side.js';
import { ConnectionPool, type Pools } from './connection-pool.js';
import { nodemailerFields } from './nodemailer-error.js';
import { sendWrapped, verifyWrapped } from './wrapped-transport.js';

/** Settings for all relays that do not set them themselves. Where to connect and with which credentials is each relay's own. */
export type NodemailerTransportOptions = Omit<SmtpVia, 'host' | 'port' | 'lookup' | 'auth' | 'authMethod'>;

/**
 * What `Deliverer` takes to send through nodemailer.
 *
 * @throws {RouteConfigError} for unknown or wrong options
 */
export function nodemailerTransport(options: NodemailerTransportOptions = {}): RelayTransport {
  const problems = new Problems();
  checkOptions(options, DEFAULTS_CHECKS, '', problems);
  problems.throwIfAny('nodemailerTransport');
  return new NodemailerTransport(options);
}

const {
  host: _host,
  port: _port,
  lookup: _lookup,
  auth: _auth,
  authMethod: _method,
  ...DEFAULTS_CHECKS
} = SMTP_VIA_CHECKS as Record<keyof SmtpVia, Check>;

class NodemailerTransport implements RelayTransport, AppSide {
  readonly #defaults: NodemailerTransportOptions;
  /** By relay object, never by name: a connection must not carry another relay's credentials. */
  #poolByRelay = new WeakMap<Relay, ConnectionPool>();
  #pools: Pools = { inUse: new Set(), closed: false };

  getSocket: GetSocket | undefined;
  mailer: AppMailer | undefined;
  readonly #getSocket: GetSocket = (options, callback) => {
    if (this.getSocket) this.getSocket(options, callback);
    else callback(null);
  };

  constructor(defaults: NodemailerTransportOptions) {
    this.#defaults = defaults;
  }

  limit(relay: Relay): number {
    return this.#poolOf(relay)?.limit ?? Infinity;
  }

  async send({ relay, envelope, message, signal, onEvent }: SendRequest): Promise<readonly RecipientReport[]> {
    const pool = this.#poolOf(relay);
    if (!pool) return sendWrapped(relay.via as TransportVia, { envelope, message, signal });
    const idle = pool.takeIdle(message);
    if (idle) {
      onEvent?.(idle.takenAgain);
      const { reports, stale } = await idle.send(envelope, message, signal);
      // A connection that the server closed while it was idle is no failure of the relay: once more, on a new one.
      if (!stale || signal.aborted) {
        pool.giveBack(idle, message, reports);
        return reports;
      }
    }
    const session = await pool.open(signal, onEvent);
    if ('failure' in session) {
      onEvent?.({ type: 'connection-taken', reused: false, ...session.info });
      return forAll(envelope, session.failure);
    }
    onEvent?.({ type: 'connection-taken', reused: false, ...session.info });
    const { reports } = await session.send(envelope, message, signal);
    pool.giveBack(session, message, reports);
    return reports;
  }

  async check(relay: Relay): Promise<void> {
    const pool = this.#poolOf(relay);
    if (!pool) return verifyWrapped(relay.via as TransportVia);
    const session = await pool.open(new AbortController().signal, undefined);
    if ('failure' in session) {
      const { failure } = session;
      const error = new Error(`relay ${relay.id} cannot be used`, { cause: failure });
      throw Object.assign(error, nodemailerFields(failure));
    }
    session.quit();
  }

  /** Closes idle connections now and busy ones as they finish. A later send opens new ones. */
  close(): void {
    this.#pools.closed = true;
    for (const pool of this.#pools.inUse) pool.closeIdle();
    this.#pools = { inUse: new Set(), closed: false };
    this.#poolByRelay = new WeakMap();
  }

  #poolOf(relay: Relay): ConnectionPool | undefined {
    const known = this.#poolByRelay.get(relay);
    if (known || !('host' in relay.via)) return known;
    const via: SmtpVia = { getSocket: this.#getSocket, ...this.#defaults, ...relay.via };
    const pool = new ConnectionPool(relay, via, this.#pools, this.mailer);
    this.#poolByRelay.set(relay, pool);
    return pool;
  }
}

/** Undefined for a transport that was not made here. */
export function appSideOf(transport: RelayTransport | undefined): AppSide | undefined {
  return transport instanceof NodemailerTransport ? transport : undefined;
}

function forAll({ to }: Envelope, failure: Failure): RecipientReport[] {
  return to.map((recipient) => ({ recipient, failure }));
}
