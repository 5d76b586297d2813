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
  const wanted = (typeof dsn?.notify === 'string' ? dsn.notify.split(',') : (dsn?.notify ?? []))
    .map((word) => word.trim().toUpperCase())
    .filter((word) => word !== '');
  return wanted.length === 0 || wanted.includes(kind === 'failed' ? 'FAILURE' : 'DELAY');
}
