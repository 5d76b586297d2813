/**
 * An attempt that ended because the app's own message could not be read: no relay is at fault, and
 * no other can do better now.
 */
import type { Failure } from './failure.js';
import { printable } from './reply.js';

export function unreadableMessage(why: string): Failure {
  return { kind: 'aborted', message: `the message could not be read: ${printable(why)}` };
}
