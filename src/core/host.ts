/**
 * What may stand as the host of a relay. Stricter than a recipient's domain: the operating system
 * connects to whatever it is given, and it reads `1.2` as the address 1.0.0.2.
 */
import { canonicalDomain } from './domain.js';
import { domainProblem } from './domain-problem.js';
import { canonicalIP } from './ip-address.js';

/** A name as lower-case A-labels, or an IP address in canonical form without brackets. Undefined for anything else. */
export function canonicalHost(text: string): string | undefined {
  const address = canonicalIP(text);
  if (address !== undefined) return address;
  const name = text.startsWith('[') ? undefined : canonicalDomain(text);
  return name === undefined || /(?:^|\.)(?:\d+|0x[\da-f]*)$/.test(name) ? undefined : name;
}

export function isIPAddress(host: string): boolean {
  return canonicalIP(host) !== undefined;
}

/** Why `canonicalHost` refuses a text, to follow a subject. Never repeats the text: a URL may hold a password. */
export function hostProblem(text: string): string {
  if (/^[a-z][a-z\d+.-]*:\/\//i.test(text)) return 'is a URL: give the bare name or IP address';
  if (text.startsWith('[')) return 'has brackets: give the bare name or IP address';
  if (text.includes('@')) return 'holds an "@": give the bare name or IP address';
  if (/^[^:]+:\d+$/.test(text)) return 'holds a port: give it apart from the host';
  if (/^[\d.]+$/.test(text) || /(?:^|\.)(?:\d+|0x[\da-f]*)$/i.test(text)) return 'is neither an IP address nor a name';
  return domainProblem(text);
}
