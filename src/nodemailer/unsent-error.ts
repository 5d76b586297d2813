/**
 * What ended a message before anything of it was sent, as the error that nodemailer's users know.
 */
import type { DeliveryOutcome } from '../core/outcome.js';
import { errorMessage } from '../core/error-message.js';
import { fieldsThere } from './nodemailer-error.js';
import { RoutedMailError, recipientError, type StreamErrorFields } from './routed-mail-error.js';

/** `EENVELOPE` no recipients, `ESTREAM` it could not be read, `EABORT` the signal, `ECONNECTION` closed, `EQUEUE` not stored, `ECONFIG`. */
export type UnsentCode = 'EENVELOPE' | 'ESTREAM' | 'EABORT' | 'ECONNECTION' | 'EQUEUE' | 'ECONFIG';

/** Where the system or a server said no. */
const UNREADABLE = ['errno', 'syscall', 'path', 'sourceUrl'] as const;

/** Every recipient is open: nothing was sent, and the app may send the message again. */
export function unsentError(code: UnsentCode, cause: unknown, to: readonly string[]): RoutedMailError {
  const said = errorMessage(cause);
  const outcome: DeliveryOutcome = {
    id: '',
    recipients: [...new Set(to)].map((recipient) => ({
      recipient,
      status: 'queue-for-later',
      failure: { kind: 'aborted', message: `nothing was sent: ${said}` },
      retryAt: Date.now(),
    })),
    attempts: [],
  };
  const original = (cause as { code?: unknown } | null)?.code;
  return new RoutedMailError(code === 'EABORT' ? 'Message sending aborted' : said, {
    code,
    outcome,
    cause,
    rejectedErrors: outcome.recipients.flatMap((result) =>
      result.status === 'queue-for-later' ? [Object.assign(recipientError(result), { code })] : [],
    ),
    ...(typeof original === 'string' && original !== code && { originalCode: original }),
    ...(code === 'ESTREAM' && fieldsThere<StreamErrorFields>(cause, UNREADABLE)),
  });
}
