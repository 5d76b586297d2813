/**
 * Time and chance as parameters. This is the only place that reads the process's own.
 */

/** Milliseconds since the epoch, and an abortable wait. */
export interface Clock {
  now(): number;
  /** Resolves after `ms`; rejects with `signal.reason` when aborted. Keeps the process alive: somebody waits for mail. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** As `sleep`, but does not keep the process alive. Absent: `sleep` is used. */
  doze?(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Sleeps as lightly as the clock can. */
export function doze(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return clock.doze?.(ms, signal) ?? clock.sleep(ms, signal);
}

/** The longest delay Node's timers keep, 24.8 days: a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) => pause(ms, signal, true),
  doze: (ms, signal) => pause(ms, signal, false),
};

function pause(ms: number, signal: AbortSignal | undefined, keepAlive: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const timer = setTimeout(
      () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      },
      Math.min(ms, MAX_TIMER_MS),
    );
    if (!keepAlive) timer.unref();
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** Dice in [0, 1). */
export const systemRandom = (): number => Math.random();
