/**
 * Says why a text is neither a domain nor an address. The text itself is never repeated: what a
 * stranger wrote must not reach a log or a reply through us.
 */
import { isLocalPart } from './address.js';
import { domainProblem } from './domain-problem.js';

/** A sentence on the first thing wrong with a text that `routingDomain` refuses. */
export function addressProblem(text: unknown): string {
  if (typeof text !== 'string') return 'not a string';
  const at = text.lastIndexOf('@');
  if (at < 0) return `the domain ${domainProblem(text)}`;
  if (at === 0) return 'the address has no local part';
  if (!isLocalPart(text.slice(0, at))) return 'the local part is not valid (RFC 5321 4.1.2)';
  return `the domain ${domainProblem(text.slice(at + 1))}`;
}
