/**
 * What an app's callback or transport throws may be no error at all, and reading it must not throw
 * again: that would turn a defect over there into mail lost here.
 */
import { printable } from './reply.js';

/** The message of whatever was thrown, safe to show. */
export function errorMessage(error: unknown): string {
  try {
    const message = typeof error === 'object' && error !== null ? (error as { message?: unknown }).message : undefined;
    return printable(typeof message === 'string' ? message : String(error));
  } catch {
    return 'something was thrown that cannot be read';
  }
}
