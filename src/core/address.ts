/**
 * Reads an envelope address: whose mailbox, at which domain. What passes here reaches `MAIL FROM`
 * and `RCPT TO`, so nothing passes that could end a command line or the angle brackets around it.
 */
import { canonicalDomain, MAX_NAME, PLAIN_NAME } from './domain.js';

/** A mailbox. `local` as written, byte for byte; `domain` in canonical form (see `canonicalDomain`). */
export interface Address {
  readonly local: string;
  readonly domain: string;
}

/**
 * Octets of a local part. RFC 5321 4.5.3.1.1 says 64, but senders that put the recipient into
 * their bounce address (VERP) exceed it, and the servers they use take it.
 */
const MAX_LOCAL = 256;

/** Consecutive, leading and trailing dots are no dot-atom (RFC 5321 4.1.2), but such mailboxes exist. */
const ATOM_TEXT = String.raw`\w.!#$%&'*+/=?^${'`'}{|}~\-`;

/** Nearly every address there is, canonical domain included: one test on the hot path. */
const PLAIN_ADDRESS = new RegExp(`^[${ATOM_TEXT}]{1,64}@${PLAIN_NAME}$`);

function isPlain(text: string): boolean {
  return PLAIN_ADDRESS.test(text) && text.length - text.lastIndexOf('@') - 1 <= MAX_NAME;
}

// Quoted: qtextSMTP and quoted-pairSMTP (RFC 5321 4.1.2). Both forms may hold UTF-8 (RFC 6531 3.3).
const UNQUOTED = new RegExp(String.raw`^[${ATOM_TEXT}\u00a0-\u{10ffff}]+$`, 'u');
const QUOTED = /^"(?:[ !#-[\]-~\u00a0-\u{10ffff}]|\\[ -~])*"$/u;
/** White space that is no plain blank, controls of any kind, and halves of characters, which have no UTF-8. */
const NOT_IN_LOCAL = /(?! )[\p{Z}\p{Cc}\p{Cs}]/u;

/** Splits at the last `@`. Undefined unless both sides are sound; nothing is trimmed. */
export function parseAddress(text: string): Address | undefined {
  const at = text.lastIndexOf('@');
  if (at < 1) return undefined;
  const local = text.slice(0, at);
  if (!isLocalPart(local)) return undefined;
  const domain = canonicalDomain(text.slice(at + 1));
  return domain === undefined ? undefined : { local, domain };
}

/** The canonical domain of a domain or of an address: what routes are looked up by. Undefined if it is neither. */
export function routingDomain(domainOrAddress: string): string | undefined {
  const at = domainOrAddress.lastIndexOf('@');
  if (at < 0) return canonicalDomain(domainOrAddress);
  if (isPlain(domainOrAddress)) return domainOrAddress.slice(at + 1);
  return parseAddress(domainOrAddress)?.domain;
}

/** Whether a text may stand before the `@`: an atom with dots anywhere, or a quoted string, at most 256 octets of UTF-8. */
export function isLocalPart(local: string): boolean {
  if (!(UNQUOTED.test(local) || QUOTED.test(local)) || NOT_IN_LOCAL.test(local)) return false;
  // No character takes more than three octets for each unit of its length.
  return local.length * 3 <= MAX_LOCAL || octets(local) <= MAX_LOCAL;
}

function octets(text: string): number {
  let count = 0;
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    count += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return count;
}

/** A recipient as deliveries know it. */
export interface Mailbox {
  /** Equal for two spellings of one recipient: the same local part byte for byte, the same canonical domain. */
  readonly key: string;
  /** As it stands in an SMTP command. */
  readonly wire: string;
  readonly domain: string;
}

/** Undefined if the text is no address. */
export function readMailbox(address: string): Mailbox | undefined {
  if (isPlain(address)) return { key: address, wire: address, domain: address.slice(address.lastIndexOf('@') + 1) };
  const parsed = parseAddress(address);
  if (!parsed) return undefined;
  const { local, domain } = parsed;
  return { key: `${local}@${domain}`, wire: wireForm(address, parsed), domain };
}

/** The key of an address; a text that is no address is its own. */
export function recipientKey(address: string): string {
  return readMailbox(address)?.key ?? address;
}

/** Whether the local part leaves ASCII, so that the address must not go to a server without SMTPUTF8 (RFC 6531 3.2). */
export function needsSmtpUtf8(address: string): boolean {
  return !ASCII.test(address) && !ASCII.test(address.slice(0, Math.max(address.lastIndexOf('@'), 0)));
}

/**
 * A domain that cannot stand in a command, because it leaves ASCII or ends in a dot, becomes
 * A-labels, so that an old server can take it; an address that needs SMTPUTF8 anyway stays as given.
 */
function wireForm(address: string, { local, domain }: Address): string {
  const given = address.slice(local.length + 1);
  return needsSmtpUtf8(address) || (ASCII.test(given) && !given.endsWith('.')) ? address : `${local}@${domain}`;
}

// eslint-disable-next-line no-control-regex
const ASCII = /^[\u0000-\u007f]*$/;
