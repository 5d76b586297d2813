/**
 * A process that submits and delivers, to be killed at any instant. It says on standard output what
 * it holds to be durable: `stored ID` when submit has resolved, `delivered ID` when a delivery is
 * committed; and `late ID` when its claim had gone to another. Once it hears `enough` on standard input it submits nothing more. Asked to `drain` it
 * submits nothing, and ends when its queue is empty.
 */
import { writeSync } from 'node:fs';
import { Deliverer, defineRoutes } from 'smtp-routes';
import { nodemailerTransport } from 'smtp-routes/nodemailer';
import { openQueue } from './open-queue.js';

const [place = '', port = '', name = '', mode = ''] = process.argv.slice(2);
const lease = process.env['SMTP_ROUTES_LEASE_MS'] ?? '';

const say = (line: string): unknown => writeSync(1, `${line}\n`);

const deliverer = new Deliverer({
  routes: defineRoutes({
    relays: { unreliable: { host: '127.0.0.1', port: Number(port), name, pool: true, maxConnections: 8 } },
    routes: [{ match: 'ALL', tiers: [['unreliable']] }],
  }),
  transport: nodemailerTransport(),
  cooling: { initialMs: 10, maxMs: 40 },
});
const { queue, end } = await openQueue(place, {
  deliverer,
  profile: { initialRetryMs: 20, maxRetryMs: 100, maxRetries: 100_000 },
  concurrency: 8,
  pollMs: 100,
  ...(lease !== '' && { leaseMs: Number(lease) }),
  bounces: (report) =>
    Promise.resolve({
      envelope: { from: '', to: ['bounces@sender.test'] },
      message: `X-Id: bounce-of-${report.id}\r\nX-Bounce-Of: ${report.id}\r\n\r\nfailed\r\n`,
    }),
  onEvent: (event) => {
    if (event.type === 'lease-lost') say(`late ${event.id}`);
    if (event.type !== 'attempted') return;
    if (event.outcome.recipients.some(({ status }) => status === 'delivered')) say(`delivered ${event.id}`);
  },
});
queue.start({ keepAlive: true });
say('ready');

if (mode === 'drain') {
  while ((await queue.counters()).active > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  const { delivered, softBounces, hardBounces } = await queue.counters();
  await queue.close();
  await deliverer.close();
  await end();
  say(`counters ${JSON.stringify({ delivered, softBounces, refused: hardBounces['5xx'] })}`);
} else {
  let messages = 0;
  let isEnough = false;
  process.stdin.once('data', () => (isEnough = true));
  const caller = async (): Promise<void> => {
    while (!isEnough) {
      const id = `${name}-${String(messages++)}`;
      // Now and then longer than a piece, so that half-stored messages are left behind as well.
      const filling = messages % 40 === 0 ? 'y'.repeat(99).concat('\r\n').repeat(5_000) : 'x\r\n';
      const mail = {
        envelope: { from: 'sender@sender.test', to: [`user@domain${String(messages % 5)}.test`] },
        message: `X-Id: ${id}\r\nSubject: crash\r\n\r\n${filling}`,
      };
      // The same id again is the same message, so whoever is not told may ask again.
      for (let stored = false; !stored;) {
        stored = await queue.submit(mail, { id }).then(
          () => true,
          () => new Promise((resolve) => setTimeout(resolve, 100, false)),
        );
      }
      say(`stored ${id}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  await Promise.all([caller(), caller(), caller(), caller()]);
}
