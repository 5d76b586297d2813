/**
 * Turns the `relays` of a definition into relays, or into problems. Definitions are copied: one
 * that the app changes later must not change a relay that was checked.
 */
import { checkOptions, type Check } from './check-options.js';
import type { Problems } from './config-error.js';
import { isIPAddress } from './host.js';
import { Relay, type Via } from './relay.js';
import { SMTP_VIA_CHECKS } from './smtp-via-options.js';

/**
 * All relays by id. A relay with a problem is there too, so that routes which name it are not
 * reported as well; the caller throws before anything uses it.
 */
export function defineRelays(relays: unknown, problems: Problems): Map<string, Relay> {
  const defined = new Map<string, Relay>();
  if (typeof relays !== 'object' || relays === null || Array.isArray(relays)) {
    problems.add('relays', 'must be an object of relays by id');
    return defined;
  }
  for (const [id, via] of Object.entries(relays)) {
    const path = relayPath(id);
    const wrong = idProblem(id);
    if (wrong !== undefined) problems.add(path, wrong);
    defined.set(id, new Relay(id, defineVia(via, path, problems)));
  }
  return defined;
}

function idProblem(id: string): string | undefined {
  if (id === '') return 'the id of a relay must not be empty';
  // Ids stand in lists, logs and command lines.
  return /[\s,\p{Cc}\p{Cs}]/u.test(id)
    ? 'the id of a relay must not hold white space, commas or control characters'
    : undefined;
}

/** Where a relay is defined: `relays.eu1`, or `relays["a.example.net"]`. */
export function relayPath(id: string): string {
  return /^[\w$-]+$/.test(id) ? `relays.${id}` : `relays[${JSON.stringify(id)}]`;
}

function defineVia(via: unknown, path: string, problems: Problems): Via {
  if (typeof via !== 'object' || via === null || Array.isArray(via)) {
    // The value is not shown: nodemailer takes a connection URL in this place, password and all.
    problems.add(path, 'must be an object such as { host, port } or { transport }');
    return { host: '' };
  }
  const own = Object.fromEntries(Object.entries(via).filter(([, value]) => value !== undefined));
  const { host, transport, lookup } = own;
  const isSmtp = host !== undefined || transport === undefined;
  if (isSmtp && transport !== undefined) problems.add(path, 'has both a host and a transport: a relay is one of them');
  if (isSmtp && host === undefined) problems.add(path, 'needs a host, or a transport that the app already has');
  checkOptions(own, isSmtp ? SMTP_CHECKS : TRANSPORT_CHECKS, path, problems);
  for (const lost of lostWith(transport)) problems.add(`${path}.transport`, lost);
  if (lookup === 'mx' && typeof host === 'string' && isIPAddress(host)) {
    problems.add(`${path}.lookup`, 'must be "address": an IP address has no MX');
  }
  return Object.freeze(own) as unknown as Via;
}

const isTransport: Check = (value) => {
  const { send, sendMail } = Object(value) as { send?: unknown; sendMail?: unknown };
  return typeof send === 'function' || typeof sendMail === 'function'
    ? undefined
    : 'must be a nodemailer transport (with a `send` function) or transporter (with `sendMail`)';
};

/**
 * What a transporter would do to a message before it calls its transport. A relay is handed a message
 * that is finished, so the transport alone is called; mail must not go unsigned without a word.
 */
function lostWith(transport: unknown): string[] {
  const { send, transporter, dkim, _defaults, _userPlugins } = Object(transport) as Record<string, unknown>;
  if (typeof send === 'function' || typeof (Object(transporter) as { send?: unknown }).send !== 'function') return [];
  const lost: string[] = [];
  if (dkim || (Object(_defaults) as { dkim?: unknown }).dkim) {
    lost.push(
      'its dkim would sign nothing: give it to the second argument of createTransport, beside the RoutedTransport',
    );
  }
  const steps: unknown[] = Object.values(Object(_userPlugins) as object);
  if (steps.some((plugins) => Array.isArray(plugins) && plugins.length > 0)) {
    lost.push('its plugins would not run: call use() on the transporter of the RoutedTransport');
  }
  return lost;
}

const isNoLmtp: Check = (value) =>
  value === false ? undefined : 'LMTP is not supported yet: its replies after the dot are one for each recipient';

const OF_MESSAGES = 'belongs to messages: it goes to the second argument of createTransport';
const NO_RATE = 'is not supported: maxConnections limits what a relay gets at once';

/** What nodemailer takes in this place and a relay does not, and what to write instead. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  service: 'names of services are not known here: write its host, port and secure',
  url: 'write host, port, secure and auth',
  dkim: OF_MESSAGES,
  attachDataUrls: OF_MESSAGES,
  disableFileAccess: OF_MESSAGES,
  disableUrlAccess: OF_MESSAGES,
  rateLimit: NO_RATE,
  rateDelta: NO_RATE,
  maxRequeues: 'is not needed: what a relay did not take goes to the next',
};

const TRANSPORT_CHECKS = { transport: isTransport };
const SMTP_CHECKS = {
  ...SMTP_VIA_CHECKS,
  ...TRANSPORT_CHECKS,
  lmtp: isNoLmtp,
  ...Object.fromEntries(Object.entries(ELSEWHERE).map(([name, advice]): [string, Check] => [name, () => advice])),
};
