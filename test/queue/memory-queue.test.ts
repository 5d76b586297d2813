/**
 * The queue in memory keeps the contract of every queue.
 */
import { test } from 'vitest';
import { memoryQueue } from 'smtp-routes/queue';
import { deliveryQueueContract, ManualClock } from 'smtp-routes/testing';

for (const { name, run } of deliveryQueueContract) {
  test(name, () =>
    run(() => {
      const clock = new ManualClock();
      return {
        clock,
        pass: (ms) => clock.advance(ms),
        open: memoryQueue,
        durable: false,
        end: () => Promise.resolve(),
      };
    }),
  );
}
