/**
 * What a test server is asked to be, with the defaults in one place: a plain modern server on a
 * free port of the loopback interface.
 */
import { createSecureContext } from 'node:tls';
import type { SecureContext, SecureContextOptions } from 'node:tls';
import type { Credentials } from './auth-exchange.js';
import { sizeLimit } from './mail-command.js';
import { selfSignedCertificate } from './self-signed.js';
import type { Script } from './scripted-sessions.js';

export interface SmtpServerOptions {
  /** What it does; an array is one entry for each connection, then it accepts. Default: it accepts everything. */
  readonly script?: Script;
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** The name it greets with. Default `test.example.com`. */
  readonly name?: string;
  /**
   * EHLO keywords with their parameters: `SIZE 1000` and the parameters of MAIL and RCPT are enforced. STARTTLS and AUTH
   * are added where `tls` and `auth` are given. Default PIPELINING, 8BITMIME, ENHANCEDSTATUSCODES.
   */
  readonly extensions?: readonly string[];
  /** `true`: a certificate of its own, for `localhost` and `127.0.0.1`. Or key and certificate, and anything else that `tls.createSecureContext` takes. */
  readonly tls?: SecureContextOptions | true;
  /** TLS from the first byte, in place of STARTTLS. Needs `tls`. */
  readonly secure?: boolean;
  /** Judges credentials. Where it is given, MAIL needs authentication; without it any credentials will do. */
  readonly auth?: (user: string, pass: string, mechanism: string) => boolean;
  /** Sends each byte of a reply in a packet of its own. */
  readonly splitReplies?: boolean;
  /** Holds each reply back for so long, as a distant server's round trip would. Default 0. */
  readonly latencyMs?: number;
  /** `counts`: neither messages nor transcripts are kept, for runs over many thousands of messages. Default `all`. */
  readonly keep?: 'all' | 'counts';
}

export interface ResolvedSmtpServerOptions {
  readonly name: string;
  readonly extensions: readonly string[];
  readonly secureContext: SecureContext | undefined;
  /** In PEM, where it made it itself. */
  readonly certificate: string | undefined;
  readonly secure: boolean;
  readonly authRequired: boolean;
  readonly splitReplies: boolean;
  readonly latencyMs: number;
  readonly keep: boolean;
  readonly sizeLimit: number;
  readonly judge: (credentials: Credentials) => boolean;
}

/** @throws {TypeError} if `secure` lacks a key and a certificate. */
export function resolveSmtpServerOptions(options: SmtpServerOptions): ResolvedSmtpServerOptions {
  const { auth, secure = false } = options;
  const own = options.tls === true ? selfSignedCertificate() : undefined;
  const tls = options.tls === true ? own : options.tls;
  if (secure && !tls) throw new TypeError('startSmtpServer: secure needs tls: true, or tls: { key, cert }');
  const extensions = options.extensions ?? ['PIPELINING', '8BITMIME', 'ENHANCEDSTATUSCODES'];
  return {
    name: options.name ?? 'test.example.com',
    extensions,
    sizeLimit: sizeLimit(extensions),
    secureContext: tls && createSecureContext(tls),
    certificate: own?.cert,
    secure,
    authRequired: auth !== undefined,
    splitReplies: options.splitReplies ?? false,
    latencyMs: options.latencyMs ?? 0,
    keep: options.keep !== 'counts',
    judge: ({ user, pass, mechanism }) => auth?.(user, pass, mechanism) ?? true,
  };
}
