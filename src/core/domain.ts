/**
 * The one spelling of a domain that routes are keyed by. Text is checked before it is converted:
 * `URL` reads `a/b.com` as `a`, `ex%41mple.com` as `example.com` and `1.2` as `1.0.0.2`, so mail
 * for one domain would take the route of another. ASCII names never meet `URL` at all, and others
 * meet it one label at a time.
 */
import { canonicalIPv4, canonicalIPv6 } from './ip-address.js';
import { urlHostname } from './url-hostname.js';

/**
 * A name that is canonical already, without its length limit: letters, digits, hyphens, and the
 * underscores that people do use. Four numbers are no name but an address that lacks its brackets
 * (RFC 5321 4.1.3; Postfix refuses it too). Exported as source so that an address is tested in one go.
 */
export const PLAIN_NAME: string = String.raw`(?!(?:\d+\.){3}\d+$)(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}`;

/** Octets of a name without the trailing dot (RFC 1035 2.3.4). */
export const MAX_NAME = 253;

const PLAIN = new RegExp(`^${PLAIN_NAME}$`);
// eslint-disable-next-line no-control-regex
const ASCII = /^[\u0000-\u007f]*$/;

/**
 * The canonical form of a domain: lower-case A-labels without the trailing dot
 * (`MÜNCHEN.example.` is `xn--mnchen-3ya.example`), or an address literal as `[192.0.2.1]` or
 * `[IPv6:2001:db8::1]` (RFC 5321 4.1.3). Undefined for anything else; nothing is trimmed.
 */
export function canonicalDomain(text: string): string | undefined {
  if (PLAIN.test(text)) return text.length <= MAX_NAME ? text : undefined;
  if (text.startsWith('[')) return canonicalLiteral(text);
  const name = ASCII.test(text) ? text.replace(/\.$/, '').toLowerCase() : toALabels(text);
  return name !== undefined && name.length <= MAX_NAME && PLAIN.test(name) ? name : undefined;
}

function canonicalLiteral(text: string): string | undefined {
  const [, tag, address = ''] = /^\[(ipv6:)?([^\]]+)\]$/i.exec(text) ?? [];
  const canonical = tag === undefined ? canonicalIPv4(address) : canonicalIPv6(address);
  if (canonical === undefined) return undefined;
  return tag === undefined ? `[${canonical}]` : `[IPv6:${canonical}]`;
}

/** The full stops that IDNA reads as dots (UTS 46 2.3). */
const DOTS = /[.\u3002\uff0e\uff61]/;

/** Longer than any name that fits 253 octets once composed; bounds the work on hostile input. */
const MAX_UNICODE_NAME = 1000;

function toALabels(text: string): string | undefined {
  if (text.length > MAX_UNICODE_NAME) return undefined;
  const labels = text.split(DOTS);
  if (labels.length > 1 && labels.at(-1) === '') labels.pop();
  const ascii = labels.map(toALabel);
  return ascii.includes(undefined) ? undefined : ascii.join('.');
}

/** ASCII that no label holds, and characters that nobody sees: IDNA would drop the latter. Joiners stay: some scripts need them. */
const NOT_IN_LABEL = /[^a-z0-9_\-\u0080-\u{10ffff}]|(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Z}]/iu;

function toALabel(label: string): string | undefined {
  if (label === '' || NOT_IN_LABEL.test(label)) return undefined;
  // The last label is a letter, so that digits of any script cannot turn the name into an IPv4 address.
  return /^([a-z0-9_-]+)\.x$/.exec(urlHostname(`http://${label}.x/`) ?? '')?.[1];
}
