/**
 * Names for messages that were given none: a UUID that begins with the time (RFC 9562, version 7),
 * so that an index over them grows at its end and a commit touches few pages.
 */
import { randomUUID } from 'node:crypto';

/** @param now milliseconds since the epoch */
export function newId(now: number): string {
  const time = Math.max(0, Math.floor(now)).toString(16).padStart(12, '0').slice(-12);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}

/** How long the names of messages are known after their end. */
export const REMEMBER_MS: number = 24 * 3_600_000;
