/**
 * What an answer of DNS means for the mail: refused for good only if DNS says for certain that there
 * is nowhere to send it, else it waits. In the words of the appliance's log.
 */
import type { Failure } from '../core/failure.js';

/** Rejects the mail. */
export function hardError(domain: string, enhanced: string, why: string): Failure {
  return { kind: 'unroutable', enhanced, message: `DNS Hard Error looking up ${domain} (MX): ${why}` };
}

/** Queues the mail for later. */
export function softError(domain: string, code: string, why: string, enhanced: string = '4.4.3'): Failure {
  const message = `DNS Soft Error looking up ${domain} (MX): ${why}`;
  return { kind: 'lost', phase: 'connect', code, enhanced, message };
}
