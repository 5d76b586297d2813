/**
 * The queue in memory keeps the contract of every queue.
 */
import { test } from 'vitest';
import { memoryQueue } from 'smtp-routes/queue';
import { deliveryQueueContract, ManualClock } from 'smtp-routes/testing';

for (const each of deliveryQueueContract) {
  test(each.name, () =>
    each.run(() => {
      const clock = new ManualClock();
      return {
        clock,
        pass: (ms) => clock.advance(ms),
        open: (options) => memoryQueue(options),
        durable: false,
        end: () => Promise.resolve(),
      };
    }),
  );
}
