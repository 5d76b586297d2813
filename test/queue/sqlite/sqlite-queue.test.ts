/**
 * The queue in SQLite keeps the contract of every queue, under both drivers.
 */
import { describe, test } from 'vitest';
import { sqliteQueue } from 'smtp-routes/queue';
import { deliveryQueueContract, ManualClock } from 'smtp-routes/testing';
import { drivers, scratch, type Database } from '../sqlite-drivers.js';

describe.each(drivers)('$name', ({ missing, open }) => {
  for (const each of deliveryQueueContract) {
    test.skipIf(missing !== undefined)(each.name, () =>
      each.run(() => {
        const clock = new ManualClock();
        const folder = scratch();
        const databases: Database[] = [];
        return {
          clock,
          pass: (ms) => clock.advance(ms),
          open: (options) => {
            const database = open(folder.file);
            databases.push(database);
            return sqliteQueue({ ...options, database });
          },
          durable: true,
          end: () => {
            for (const database of databases) database.close();
            folder.remove();
            return Promise.resolve();
          },
        };
      }),
    );
  }
});
