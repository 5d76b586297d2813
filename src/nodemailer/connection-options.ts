/**
 * A relay's settings as nodemailer's connection takes them, with our defaults. Only permitted
 * names pass, so that a setting of ours is never mistaken for one of nodemailer's.
 */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Relay, SmtpVia } from '../core/relay.js';
import { SMTP_OPTION_NAMES } from '../core/smtp-via-options.js';
import { inTime } from './in-time.js';
import { broughtSocket } from './brought-socket.js';
import { proxySocket } from './proxy-socket.js';
import { nodemailerMajor, type ConnectionOptions } from './smtp-connection.js';

/** Milliseconds. Shorter than nodemailer's: another host is waiting. RFC 5321 4.5.3.2 allows 5 min for most commands. */
const TIMEOUTS = { connectionTimeout: 30_000, greetingTimeout: 30_000, socketTimeout: 300_000 };

/** RFC 5321 4.5.3.2.6: the server may need 10 minutes for its final reply. */
const FINAL_REPLY_TIMEOUT_MS = 600_000;

/** `auth` and `proxy` are handled here and by `auth.ts`, not by the connection. */
const NOT_FOR_THE_CONNECTION: ReadonlySet<string> = new Set(['auth', 'authMethod', 'proxy', 'getSocket']);

export interface PreparedConnection {
  readonly options: ConnectionOptions;
  /** Longest wait between two replies, and for the final one. */
  readonly socketTimeoutMs: number;
  readonly finalReplyTimeoutMs: number;
}

/** @throws {Error} with nodemailer's code if a proxy or DNS fails, or takes too long; `EABORT` for an abort */
export async function prepareConnection(relay: Relay, via: SmtpVia, signal: AbortSignal): Promise<PreparedConnection> {
  const passed = Object.entries(via).filter(
    ([name, value]) => value !== undefined && passedNames.has(name) && !NOT_FOR_THE_CONNECTION.has(name),
  );
  const options: ConnectionOptions = { ...TIMEOUTS, ...Object.fromEntries(passed), port: relay.port };
  const limitMs = via.connectionTimeout ?? TIMEOUTS.connectionTimeout;
  if (relay.address !== undefined) {
    // Looked up already; the name is what TLS is about.
    const named = ownServername(via) ?? (isIP(relay.host) === 0 ? relay.host : undefined);
    Object.assign(options, { host: relay.address, ...(named !== undefined && { servername: named }) });
  }
  if (via.proxy !== undefined) {
    // nodemailer's proxy clients wait without end for one that hangs up, and cannot be stopped.
    const socket = proxySocket(via.proxy, options);
    options.connection = await inTime(socket, { signal, limitMs, tooLate: (late) => late.destroy() });
  } else if (
    !(via.getSocket && (await broughtSocket(via.getSocket, options, { signal, limitMs }))) &&
    relay.address === undefined
  ) {
    const servername = nameToVerify(via);
    if (servername !== undefined) {
      const { address } = await inTime(lookup(via.host), { signal, limitMs });
      Object.assign(options, { host: address, servername });
    }
  }
  return {
    options,
    socketTimeoutMs: via.socketTimeout ?? TIMEOUTS.socketTimeout,
    finalReplyTimeoutMs: Math.min(via.socketTimeout ?? FINAL_REPLY_TIMEOUT_MS, FINAL_REPLY_TIMEOUT_MS),
  };
}

const passedNames: ReadonlySet<string> = new Set<string>(SMTP_OPTION_NAMES);

/**
 * nodemailer 8 and 9 remember the server name of a host's first caller, and would verify the
 * certificate for that one (measured: a name absent from the certificate was accepted). A relay
 * with a server name of its own is therefore connected to by address.
 */
function nameToVerify(via: SmtpVia): string | undefined {
  return nodemailerMajor >= 10 || isIP(via.host) !== 0 ? undefined : ownServername(via);
}

function ownServername(via: SmtpVia): string | undefined {
  return via.servername ?? (via.tls as { servername?: string } | undefined)?.servername;
}
