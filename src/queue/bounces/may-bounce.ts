/**
 * Whether anybody wants to hear that mail failed, or is late (RFC 3461 4.1 and 6.2, RFC 5321 4.5.5).
 */
import type { Envelope } from '../../delivery/relay-transport.js';

/**
 * Never to the null sender, so that a bounce is never bounced. NOTIFY names what is wanted; without
 * it failures are told, and delays may be.
 */
export function mayBounce({ from, dsn }: Omit<Envelope, 'to'>, kind: 'failed' | 'delayed'): boolean {
  if (from === '') return false;
  // What is stored may be of any kind: it is asked after the delivery, when nothing may fail.
  const given: unknown = dsn?.notify;
  const words: unknown[] = typeof given === 'string' ? given.split(',') : Array.isArray(given) ? given : [];
  const wanted = words
    .filter((word) => typeof word === 'string')
    .map((word) => word.trim().toUpperCase())
    .filter((word) => word !== '');
  return wanted.length === 0 || wanted.includes(kind === 'failed' ? 'FAILURE' : 'DELAY');
}
