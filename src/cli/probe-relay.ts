/**
 * Asks one relay what it says of itself: greeting, EHLO, STARTTLS, EHLO again, QUIT. Sockets of its own
 * rather than nodemailer's connection, because a certificate that nobody trusts is what a probe is
 * there to show, and nodemailer hides it behind its error. No mail and no credentials are sent.
 */
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { SmtpVia } from '../core/relay.js';
import { onOneLine } from '../core/reply.js';
import type { Clock } from '../delivery/system-clock.js';
import { ReplyReader } from './reply-reader.js';

/** Where to, and how a delivery would speak there. */
export interface ProbeTarget {
  readonly relay: string;
  readonly host: string;
  readonly port: number;
  readonly via: Omit<SmtpVia, 'host' | 'port'>;
}

export interface ProbedTls {
  readonly protocol: string;
  /** Whether the certificate is valid for this host and leads to an authority that is known here. */
  readonly trusted: boolean;
  readonly problem?: string;
  /** Absent where the server showed no certificate. */
  readonly validTo?: string;
  readonly daysLeft?: number;
}

/** JSON-safe. `ms` from the first packet to the end of the last EHLO. */
export interface ProbeResult {
  readonly relay: string;
  readonly host: string;
  readonly port: number;
  readonly up: boolean;
  readonly ms: number;
  readonly address?: string;
  readonly greeting?: string;
  readonly extensions: readonly string[];
  readonly tls?: ProbedTls;
  /** Why a delivery would fail there. */
  readonly why?: string;
}

const DAY_MS = 86_400_000;

type Found = { -readonly [K in keyof ProbeResult]?: ProbeResult[K] };

/** Resolves for whatever the relay does. Takes `timeoutMs` at most. */
export async function probeRelay(target: ProbeTarget, clock: Clock, timeoutMs: number): Promise<ProbeResult> {
  const { relay, host, port } = target;
  const startedAt = clock.now();
  const found: Found = {};
  const timer = new AbortController();
  const visit = new Visit(target, found, clock);
  const late = clock.sleep(timeoutMs, timer.signal).then(
    () => `no answer within ${String(timeoutMs / 1000)} s`,
    () => undefined,
  );
  const why = await Promise.race([visit.run(), late]);
  timer.abort();
  visit.end();
  const ms = clock.now() - startedAt;
  return { relay, host, port, up: why === undefined, ms, extensions: [], ...found, ...(why !== undefined && { why }) };
}

class Visit {
  readonly #target: ProbeTarget;
  readonly #found: Found;
  readonly #clock: Clock;
  #socket: Socket | undefined;

  constructor(target: ProbeTarget, found: Found, clock: Clock) {
    this.#target = target;
    this.#found = found;
    this.#clock = clock;
  }

  /** Why a delivery would fail, or nothing. */
  async run(): Promise<string | undefined> {
    const { via } = this.#target;
    if (via.proxy !== undefined) return 'is reached through a proxy, which the probe does not use';
    try {
      await this.#connect();
      return await this.#converse();
    } catch (error) {
      return onOneLine(reasonOf(error as NodeJS.ErrnoException));
    }
  }

  end(): void {
    if (this.#socket?.writable) this.#socket.end('QUIT\r\n');
    // The answer to QUIT is of no interest, but a reset would look rude in the server's log.
    this.#socket
      ?.on('error', () => undefined)
      .resume()
      .unref();
  }

  async #connect(): Promise<void> {
    const { host, port, via } = this.#target;
    const local = via.localAddress === undefined ? {} : { localAddress: via.localAddress };
    if (via.secure) {
      this.#socket = await this.#secured(connectTls({ ...this.#tlsOptions(), ...local, host, port }));
    } else {
      const socket = connect({ host, port, ...local });
      this.#socket = socket;
      await happens(socket, 'connect');
    }
    const address = this.#socket.remoteAddress;
    if (address !== undefined) this.#found.address = address;
  }

  async #converse(): Promise<string | undefined> {
    const { via } = this.#target;
    let reader = this.#reader();
    const greeting = await reader.read();
    this.#found.greeting = greeting.line;
    if (!greeting.positive) return `greets with ${greeting.line}`;
    const refused = await this.#sayHello(reader);
    if (refused !== undefined) return refused;
    const offers = this.#offers('STARTTLS');
    if (via.secure || via.ignoreTLS) return this.#trustProblem();
    if (!offers) return via.requireTLS ? 'does not offer STARTTLS, which this relay requires' : undefined;
    const ready = await reader.ask('STARTTLS');
    if (!ready.positive)
      return via.requireTLS === true || via.opportunisticTLS !== true ? `refuses STARTTLS: ${ready.line}` : undefined;
    reader.stop();
    const plain = this.#socket;
    this.#socket = await this.#secured(connectTls({ ...this.#tlsOptions(), ...(plain && { socket: plain }) }));
    reader = this.#reader();
    return (await this.#sayHello(reader)) ?? this.#trustProblem();
  }

  #reader(): ReplyReader {
    if (!this.#socket) throw new Error('not connected');
    return new ReplyReader(this.#socket);
  }

  async #sayHello(reader: ReplyReader): Promise<string | undefined> {
    const hello = await reader.ask(`EHLO ${this.#target.via.name ?? 'smtp-routes-probe.invalid'}`);
    if (!hello.positive) return `refuses EHLO: ${hello.line}`;
    this.#found.extensions = hello.texts.slice(1);
    return undefined;
  }

  #offers(word: string): boolean {
    return this.#found.extensions?.some((line) => line.split(' ')[0]?.toUpperCase() === word) ?? false;
  }

  #tlsOptions(): ConnectionOptions {
    const { host, via } = this.#target;
    const name = via.servername ?? (isIP(host) === 0 ? host : undefined);
    // Not refused at once: the certificate is what is asked for.
    return {
      ...(name !== undefined && { servername: name }),
      ...via.tls,
      rejectUnauthorized: false,
      ...(isIP(host) !== 0 && name === undefined && { host }),
    };
  }

  async #secured(socket: TLSSocket): Promise<TLSSocket> {
    this.#socket = socket;
    await happens(socket, 'secureConnect');
    const { valid_to: until } = socket.getPeerCertificate() as { valid_to?: string };
    const validTo = until === undefined ? undefined : new Date(until);
    const daysLeft = validTo && Math.floor((validTo.getTime() - this.#clock.now()) / DAY_MS);
    this.#found.tls = {
      protocol: socket.getProtocol() ?? 'TLS',
      trusted: socket.authorized,
      ...(!socket.authorized && { problem: trustProblem(socket.authorizationError, daysLeft) }),
      ...(validTo && { validTo: validTo.toISOString() }),
      ...(daysLeft !== undefined && { daysLeft }),
    };
    return socket;
  }

  /** nodemailer refuses a certificate that it cannot verify, unless it is told not to. */
  #trustProblem(): string | undefined {
    const { tls } = this.#found;
    const verifies =
      (this.#target.via.tls as { rejectUnauthorized?: boolean } | undefined)?.rejectUnauthorized !== false;
    return tls && !tls.trusted && verifies ? `certificate: ${tls.problem ?? 'not trusted'}` : undefined;
  }
}

/** OpenSSL's codes, in words. */
const TRUST_PROBLEMS: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'self-signed, and not among those trusted',
  SELF_SIGNED_CERT_IN_CHAIN: 'leads to an authority that is not trusted here',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its authority is not known here, or an intermediate certificate is missing',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its authority is not known here, or an intermediate certificate is missing',
  CERT_HAS_EXPIRED: 'has expired',
  CERT_NOT_YET_VALID: 'is not valid yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'is for another name',
};

/** Node types an error where it gives a code. An expired one is called so, whatever else is wrong with it. */
function trustProblem(error: unknown, daysLeft: number | undefined): string {
  const code = error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.message) : String(error);
  return daysLeft !== undefined && daysLeft < 0 ? 'has expired' : (TRUST_PROBLEMS[code] ?? onOneLine(code));
}

function happens(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    const closed = (): void => reject(new Error('closes the connection'));
    socket.once('error', reject).once('close', closed);
    socket.once(event, () => {
      socket.off('error', reject).off('close', closed);
      resolve();
    });
  });
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refuses the connection (ECONNREFUSED)',
  ETIMEDOUT: 'does not answer (ETIMEDOUT)',
  EHOSTUNREACH: 'cannot be reached (EHOSTUNREACH)',
  ENETUNREACH: 'cannot be reached (ENETUNREACH)',
  ECONNRESET: 'resets the connection (ECONNRESET)',
  ENOTFOUND: 'has no address in DNS (ENOTFOUND)',
  EAI_AGAIN: 'DNS does not answer (EAI_AGAIN)',
};

function reasonOf(error: NodeJS.ErrnoException): string {
  // Of several addresses that were tried, the first tells.
  const [first] = (error as { errors?: NodeJS.ErrnoException[] }).errors ?? [];
  const { code = '', message } = first ?? error;
  return REASONS[code] ?? message;
}
