/**
 * One destination of AsyncOS route text, both ways: `a.example.net`, `b.example.net:2525`,
 * `[c.example.net]`, `192.0.2.7:587`, `[2001:db8::7]:587`. Brackets say "look up the address, not
 * the exchanges"; an IP address has nothing to look up either way.
 */
import { show } from './check-options.js';
import { canonicalHost, hostProblem, isIPAddress } from './host.js';

/** A next hop as text can say it. `host` canonical and without brackets. */
export interface Destination {
  readonly host: string;
  readonly port: number;
  readonly lookup: 'address' | 'mx';
}

/** The port that text need not name. */
const DEFAULT_PORT = 25;

/** What stands in the place of all destinations of a line. */
const KEYWORD = /^(?:usedns|\/dev\/null)$/i;

/** Reads a destination without its `/pri=`. Calls `refuse` and answers undefined if it is none. */
export function parseDestination(text: string, refuse: (message: string) => void): Destination | undefined {
  if (KEYWORD.test(text)) {
    refuse(`${text} stands alone: remove it, or everything else in the line`);
    return undefined;
  }
  const { host: written, port: digits, bracketed } = split(text);
  const host = canonicalHost(written);
  if (host === undefined) {
    // Not shown with an "@": a URL in this place may hold a password.
    const shown = written.includes('@') ? 'host' : `host ${show(written)}`;
    refuse(`${shown} ${bracketed ? hostProblem(written) : bareHostProblem(written)}`);
    return undefined;
  }
  const port = digits === undefined ? DEFAULT_PORT : /^\d{1,5}$/.test(digits) ? Number(digits) : 0;
  if (port < 1 || port > 65_535) {
    refuse(`port ${show(digits)} of ${show(written)} is not a number from 1 to 65535`);
    return undefined;
  }
  return { host, port, lookup: bracketed || isIPAddress(host) ? 'address' : 'mx' };
}

function split(text: string): { host: string; port?: string; bracketed: boolean } {
  const [, inside, port] = /^\[(?:ipv6:)?([^\]]*)\](?::(.*))?$/is.exec(text) ?? [];
  if (inside !== undefined) return { host: inside, bracketed: true, ...(port !== undefined && { port }) };
  const [host = text, after, more] = /@|:\/\//.test(text) ? [text] : text.split(':', 3);
  // With a second colon it is an IPv6 address, where a port could not be told from the last group.
  return after === undefined || more !== undefined
    ? { host: text, bracketed: false }
    : { host, port: after, bracketed: false };
}

function bareHostProblem(host: string): string {
  if (/:.*:/.test(host) && !host.includes('://')) return 'is no IPv6 address; with a port it is written [address]:port';
  if (/\s/.test(host)) return 'holds white space: separate destinations by commas';
  if (host.includes('/') && !host.includes('://')) return 'holds a "/": only /pri= and a number may follow a host';
  return host.startsWith('[') ? 'has a bracket that is not closed' : hostProblem(host);
}

/** The text that `parseDestination` reads back as this destination. */
export function formatDestination({ host, port, lookup }: Destination): string {
  // With a port, even a host of that name is no keyword.
  const after = port === DEFAULT_PORT && !KEYWORD.test(host) ? '' : `:${String(port)}`;
  const isIPv6 = host.includes(':');
  const bracketed = isIPv6 ? after !== '' : lookup === 'address' && !isIPAddress(host);
  return `${bracketed ? `[${host}]` : host}${after}`;
}
