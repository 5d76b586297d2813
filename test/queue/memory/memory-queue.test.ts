/**
 * The queue in memory keeps the contract of every queue.
 */
import { expect, test } from 'vitest';
import { Deliverer, defineRoutes } from 'smtp-routes';
import { memoryQueue } from 'smtp-routes/queue';
import { deliveryQueueContract, ManualClock, ScriptedTransport } from 'smtp-routes/testing';

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

test('mail is redirected to relays of the table only, not to what DNS once named', async () => {
  const place = 'mx.test[192.0.2.1]';
  const deliverer = new Deliverer({
    routes: defineRoutes({ relays: {}, routes: [] }),
    transport: new ScriptedTransport({ 'mx.test': ['450@rcpt later'] }),
    dns: { exchanges: () => ({ tiers: [[{ name: 'mx.test', addresses: ['192.0.2.1'] }]] }) },
    clock: new ManualClock(),
  });
  const queue = memoryQueue({ deliverer });
  await queue.submit({ envelope: { from: '', to: ['user@a.test'] }, message: 'Subject: x\r\n\r\n' });
  await queue.runDue();
  expect(Object.keys(deliverer.health())).toEqual([place]);
  await expect(queue.redirect('all', place)).rejects.toThrow(`to: no relay is called "${place}"`);
  await queue.close();
});
