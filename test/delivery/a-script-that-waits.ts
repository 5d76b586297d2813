/**
 * A script of which nothing is left but a delivery that waits to be tried again. Run by
 * system-clock.test.ts in a process of its own: were the waiting not to keep that alive, it would
 * end here without a word, and the mail with it.
 */
import { Deliverer, defineRoutes, deliverWithRetries } from 'smtp-routes';
import { ScriptedTransport } from 'smtp-routes/testing';

const deliverer = new Deliverer({
  routes: defineRoutes({ relays: { a: { host: '192.0.2.1' } }, routes: [{ match: 'ALL', tiers: [['a']] }] }),
  transport: new ScriptedTransport({ a: ['451@data', '451@data', '250'] }),
});
const mail = { envelope: { from: '', to: ['user@example.com'] }, message: 'Subject: x\r\n\r\n' };
const { recipients, attempts } = await deliverWithRetries(deliverer, mail, { profile: { initialRetryMs: 20 } });
console.log(`${String(recipients[0]?.status)} after ${String(attempts.length)} attempts`);
