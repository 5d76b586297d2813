/**
 * The options that a relay may carry, as data: one table checks definitions, and says which names
 * nodemailer's connection gets. A value that may hold a secret is never shown in a problem.
 */
import {
  isAnything,
  isBoolean,
  isDuration,
  isFunction,
  isIntegerBetween,
  isOneOf,
  isString,
  show,
  type Check,
} from './check-options.js';
import { canonicalHost, hostProblem } from './host.js';
import { canonicalIP } from './ip-address.js';
import type { SmtpVia } from './relay.js';
import { urlHostname } from './url-hostname.js';

export const isPort: Check = isIntegerBetween(1, 65_535);

const isHost: Check = (value) => {
  if (typeof value !== 'string') return 'must be a host name or an IP address';
  return canonicalHost(value) === undefined ? hostProblem(value) : undefined;
};

const isIP: Check = (value) =>
  typeof value === 'string' && canonicalIP(value) !== undefined
    ? undefined
    : `must be an IP address of this machine, got ${show(value)}`;

const isSecretObject: Check = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? undefined : 'must be an object';

const isProxy: Check = (value) =>
  typeof value === 'string' && (urlHostname(value) ?? '') !== ''
    ? undefined
    : 'must be a URL, such as http://proxy.example.net:3128 or socks5://127.0.0.1:1080';

const isHelloName: Check = (value) =>
  // White space or a line end would add a parameter or a command to EHLO.
  typeof value === 'string' && /^[!-~]+$/.test(value)
    ? undefined
    : `must be a name for EHLO without white space, got ${show(value)}`;

/** nodemailer closes the socket at once on 0. */
const isDurationOrZero: Check = (value) => (value === 0 ? undefined : isDuration(value));

const isCount: Check = isIntegerBetween(1, 1_000_000);

/** What concerns us and not the connection: never handed to nodemailer. */
type OwnOption = 'lookup' | 'pool' | 'maxConnections' | 'maxMessages' | 'idleMs';
type NodemailerOption = Exclude<keyof SmtpVia, OwnOption>;

const OWN_CHECKS: Readonly<Record<OwnOption, Check>> = {
  lookup: isOneOf('address', 'mx'),
  pool: isBoolean,
  maxConnections: isCount,
  maxMessages: isCount,
  idleMs: isDuration,
};

const NODEMAILER_CHECKS: Readonly<Record<NodemailerOption, Check>> = {
  host: isHost,
  port: isPort,
  secure: isBoolean,
  ignoreTLS: isBoolean,
  requireTLS: isBoolean,
  opportunisticTLS: isBoolean,
  tls: isSecretObject,
  servername: isString,
  auth: isSecretObject,
  authMethod: isString,
  customAuth: isSecretObject,
  name: isHelloName,
  localAddress: isIP,
  proxy: isProxy,
  getSocket: isFunction,
  connectionTimeout: isDuration,
  greetingTimeout: isDuration,
  socketTimeout: isDuration,
  socketCloseTimeout: isDurationOrZero,
  dnsTimeout: isDuration,
  maxResponseSize: isIntegerBetween(1, Number.MAX_SAFE_INTEGER),
  allowInternalNetworkInterfaces: isBoolean,
  logger: isAnything,
  debug: isBoolean,
  transactionLog: isBoolean,
};

/** The check of every option of `SmtpVia`. Times are in milliseconds. */
export const SMTP_VIA_CHECKS: Readonly<Record<keyof SmtpVia, Check>> = { ...NODEMAILER_CHECKS, ...OWN_CHECKS };

/** The options of `SmtpVia` that are passed through to nodemailer's connection, with its names and units. */
export const SMTP_OPTION_NAMES: readonly NodemailerOption[] = Object.keys(NODEMAILER_CHECKS) as NodemailerOption[];
