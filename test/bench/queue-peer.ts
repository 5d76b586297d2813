/**
 * A durable queue as a peer: a message is sent when it was stored, delivered and removed.
 */
import { defineRoutes, Deliverer } from '../../src/index.js';
import { nodemailerTransport } from '../../src/nodemailer/index.js';
import { sqliteQueue } from '../../src/queue/index.js';
import { anyDriver, scratch } from '../queue/sqlite-drivers.js';
import type { Peer } from './peers.js';

/** @throws {Error} where there is no SQLite */
export function durable(port: number, { connections }: { readonly connections: number }): Peer {
  if (!anyDriver) throw new Error('no SQLite driver');
  const folder = scratch();
  const database = anyDriver.open(folder.file);
  const relay = { host: '127.0.0.1', port, pool: true, maxConnections: connections };
  const routes = defineRoutes({ relays: { sink: relay }, routes: [{ match: 'ALL', tiers: [['sink']] }] });
  const deliverer = new Deliverer({ routes, transport: nodemailerTransport() });
  const queue = sqliteQueue({ database, deliverer });
  queue.start();
  return {
    tally: { burst: 0, later: 0, shared: 0, slowestMs: 0, delivered: [0] },
    send: async ({ from, to, message }) => {
      const { outcome } = await queue.submit({ envelope: { from, to }, message }, { wait: 'first-attempt' });
      for (const recipient of outcome?.recipients ?? []) {
        if (recipient.status !== 'delivered') throw new Error(`not delivered: ${JSON.stringify(recipient)}`);
      }
    },
    close: async () => {
      await queue.close();
      await deliverer.close();
      database.close();
      folder.remove();
    },
  };
}
