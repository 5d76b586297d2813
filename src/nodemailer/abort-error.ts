/**
 * The end of a signal as an error with a code, so that it is judged where nodemailer's errors are.
 */
import type { MailError } from './smtp-connection.js';

/** `EABORT`: the caller gave up. `ETIMEDOUT`: the time is over. */
export function abortError(signal: AbortSignal): MailError {
  const { name, message } = signal.reason as Error;
  return Object.assign(new Error(message), { code: name === 'TimeoutError' ? 'ETIMEDOUT' : 'EABORT' });
}
