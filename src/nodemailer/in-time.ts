/**
 * Waits for what cannot be stopped, such as a DNS lookup, no longer than is allowed.
 */
import { abortError } from './abort-error.js';

export interface InTime<T> {
  readonly signal?: AbortSignal | undefined;
  readonly limitMs?: number | undefined;
  /** Gets rid of a result that nobody waits for any more. */
  readonly tooLate?: (late: T) => unknown;
}

/** @throws {Error} what `work` rejects with; code `EABORT` or `ETIMEDOUT` if it is given up */
export function inTime<T>(work: Promise<T>, { signal, limitMs, tooLate }: InTime<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    let waiting = true;
    const stop = (settle: () => void): void => {
      if (!waiting) return;
      waiting = false;
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      settle();
    };
    const giveUp = (error: Error): void => stop(() => reject(error));
    const onAbort = (): void => {
      if (signal) giveUp(abortError(signal));
    };
    const onLimit = (): void => giveUp(Object.assign(new Error('Connection timeout'), { code: 'ETIMEDOUT' }));
    const timer = limitMs === undefined ? undefined : setTimeout(onLimit, limitMs);
    signal?.addEventListener('abort', onAbort);
    work.then(
      (result) => (waiting ? stop(() => resolve(result)) : tooLate?.(result)),
      (error: unknown) => giveUp(error as Error),
    );
    if (signal?.aborted) onAbort();
  });
}
