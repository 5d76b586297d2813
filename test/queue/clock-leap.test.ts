/**
 * A clock that is set forward by more than a lease: what is in flight in this process is not sent
 * again. Of the engines: engines.test.ts.
 */
import { describe, expect, onTestFinished, test } from 'vitest';
import { defineRoutes } from 'smtp-routes';
import { memoryQueue, sqliteQueue, type DeliveryQueue, type QueueOptions } from 'smtp-routes/queue';
import { leapingClock } from './clock-leap.js';
import { scriptedQueue } from './scripted-queue.js';
import { drivers, scratch } from './sqlite-drivers.js';
import { until } from './until.js';

const HOUR_MS = 3_600_000;
const MAIL = { envelope: { from: 'sender@example.net', to: ['user@a.test'] }, message: 'Subject: x\r\n\r\n' };
const routes = defineRoutes({ relays: { a: { host: '192.0.2.1' } }, routes: [{ match: 'ALL', tiers: [['a']] }] });

const stores: readonly { name: string; missing?: string; make: (options: QueueOptions) => DeliveryQueue }[] = [
  { name: 'memory', make: memoryQueue },
  ...drivers.map((driver) => ({
    name: driver.name,
    ...(driver.missing !== undefined && { missing: driver.missing }),
    make: (options: QueueOptions): DeliveryQueue => {
      const folder = scratch();
      const database = driver.open(folder.file);
      onTestFinished(() => {
        database.close();
        folder.remove();
      });
      return sqliteQueue({ ...options, database });
    },
  })),
];

describe.each(stores)('$name', ({ missing, make }) => {
  test.skipIf(missing !== undefined)('a leap of the clock frees nothing that is in flight here', async () => {
    const clock = leapingClock();
    const { queue, transport, events } = scriptedQueue(routes, { a: [['stall@mail', '250'], '250'] }, clock, make);
    const first = queue.submit(MAIL, { wait: 'first-attempt' });
    await until(() => transport.busy('a') === 1);
    clock.leap(2 * HOUR_MS);
    expect(await queue.runDue()).toEqual([]);
    transport.release();
    expect((await first).outcome?.recipients[0]?.status).toBe('delivered');
    expect(transport.trace).toHaveLength(1);
    const told = events.map(({ type }) => type);
    expect(told).not.toContain('claims-freed');
    expect(told).not.toContain('lease-lost');
    await queue.close();
  });
});
