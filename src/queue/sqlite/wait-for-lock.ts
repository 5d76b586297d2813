/**
 * Locks of other processes are waited for between turns of the event loop, not within one.
 */
import { systemClock } from '../../delivery/system-clock.js';
import { isLocked } from './sqlite-database.js';

const LOCK_PAUSE_MS = 5;

/** Tries until it works, fails for another reason, or somebody else has had the lock for too long. */
export async function waitForLock<T>(attempt: () => T, lockTimeoutMs: number): Promise<T> {
  const giveUpAt = systemClock.now() + lockTimeoutMs;
  for (;;) {
    try {
      return attempt();
    } catch (error) {
      if (!isLocked(error) || systemClock.now() >= giveUpAt) throw error;
      await systemClock.sleep(LOCK_PAUSE_MS);
    }
  }
}
