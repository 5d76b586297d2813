/**
 * Says why a text is no domain. Apart from `domain.ts`, which must be quick and only answers
 * whether: the reason is wanted once something was refused. The text itself is never repeated, so
 * that a hostile one cannot reach a log through us.
 */
import { canonicalIPv6 } from './ip-address.js';

/** The first thing wrong with a text that `canonicalDomain` refuses, to follow a subject: `has an empty label`. */
export function domainProblem(text: string): string {
  if (text === '') return 'is empty';
  // eslint-disable-next-line no-control-regex
  if (/[\s\u0000-\u001f\u007f-\u009f]/.test(text)) return 'holds white space or a control character';
  if (text.startsWith('[')) return 'is no address literal: write [192.0.2.1] or [IPv6:2001:db8::1]';
  if (text.includes('@')) return 'is an address where a domain belongs';
  if (text.includes('/')) return 'holds a "/": write the bare domain';
  if (/^(?:\d+\.){3}\d+\.?$/.test(text)) return `is an address without brackets: write [${text.replace(/\.$/, '')}]`;
  if (canonicalIPv6(text) !== undefined) return `is an address without brackets: write [IPv6:${text}]`;
  if (text.includes(':')) return 'holds a ":": a domain has no port';
  const labels = text.replace(/\.$/, '').split('.');
  if (labels.includes('')) return 'has an empty label';
  if (labels.some((label) => label.length > 63)) return 'has a label of more than 63 octets';
  if (/^[a-z0-9_.-]*$/i.test(text)) return 'is longer than 253 octets';
  return 'holds a character that no domain name has, or is too long';
}
