/** Waits for what comes about by itself, on queues whose time really goes by. */
import { setTimeout as sleep } from 'node:timers/promises';

const LIMIT_MS = 20_000;

/** @throws {Error} if it never does */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const limit = performance.now() + LIMIT_MS;
  for (;;) {
    const holds = await Promise.resolve()
      .then(condition)
      .catch(() => false);
    if (holds) return;
    if (performance.now() > limit) throw new Error(`never came about: ${condition.toString()}`);
    await sleep(10);
  }
}
