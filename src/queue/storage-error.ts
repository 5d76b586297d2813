/**
 * What is wrong with the place where a queue keeps its mail, in the same words for every store.
 */

/** `UNAVAILABLE`: the server is not there, or does not take connections. `STORAGE`: anything else. */
export type StorageProblem = 'FULL' | 'LOCKED' | 'READ_ONLY' | 'SCHEMA' | 'STORAGE' | 'UNAVAILABLE';

/**
 * The store did not take or give what was asked. `cause` is the driver's error. Nothing of it was
 * stored, but for `UNAVAILABLE`: there it may have been, and only the answer was lost.
 */
export class QueueStorageError extends Error {
  override readonly name = 'QueueStorageError';
  readonly code: `ERR_SMTP_ROUTES_QUEUE_${StorageProblem}`;

  constructor(problem: StorageProblem, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = `ERR_SMTP_ROUTES_QUEUE_${problem}`;
  }
}

export function isProblem(error: unknown, problem: StorageProblem): boolean {
  return error instanceof QueueStorageError && error.code === `ERR_SMTP_ROUTES_QUEUE_${problem}`;
}
