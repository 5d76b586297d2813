/**
 * What PostgreSQL and its driver say, in the queue's words.
 */
import { QueueStorageError, type StorageProblem } from '../storage-error.js';

/** By SQLSTATE, whole or its class. */
const PROBLEMS: Readonly<Record<string, readonly [StorageProblem, string]>> = {
  25006: ['READ_ONLY', 'the database is read-only'],
  53100: ['FULL', 'the disk of the database is full'],
  53200: ['FULL', 'the database has no memory left'],
  53300: ['UNAVAILABLE', 'the database takes no more connections'],
  55: ['LOCKED', 'the table is locked by somebody else'],
  57014: ['UNAVAILABLE', 'the database took too long'],
  57: ['UNAVAILABLE', 'the database goes down, or comes up'],
  '08': ['UNAVAILABLE', 'the database is not there'],
};
const UNAVAILABLE = /connection|timeout|ECONN|EPIPE|ENOTFOUND|EAI_AGAIN|client .*(closed|not queryable)/i;

export function pgError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof QueueStorageError) return error;
  const { code = '', message } = error as Error & { readonly code?: string };
  if (/^[0-9A-Z]{5}$/.test(code) && 'severity' in error) {
    const [problem, words] =
      PROBLEMS[code] ?? PROBLEMS[code.slice(0, 2)] ?? (['STORAGE', 'the database failed'] as const);
    return new QueueStorageError(problem, `${words}: ${message}`, error);
  }
  // The driver's own are told by their words only.
  return UNAVAILABLE.test(`${code} ${message}`)
    ? new QueueStorageError('UNAVAILABLE', `the database is not there: ${message || code}`, error)
    : error;
}
