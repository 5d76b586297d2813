/**
 * A process that submits and delivers, to be killed at any instant. It says on standard output what
 * it holds to be durable: `stored ID` when submit has resolved, `delivered ID` when a delivery is
 * committed. Once `drain` is asked for it submits nothing, and ends when its queue is empty.
 */
import { writeSync } from 'node:fs';
import { Deliverer, defineRoutes } from 'smtp-routes';
import { nodemailerTransport } from 'smtp-routes/nodemailer';
import { sqliteQueue } from 'smtp-routes/queue';
import { anyDriver } from './sqlite-drivers.js';

const [file = '', port = '', name = '', mode = ''] = process.argv.slice(2);

const say = (line: string): unknown => writeSync(1, `${line}\n`);
const database = anyDriver?.open(file);
if (!database) throw new Error('no SQLite driver');

const deliverer = new Deliverer({
  routes: defineRoutes({
    relays: { unreliable: { host: '127.0.0.1', port: Number(port), pool: true, maxConnections: 8 } },
    routes: [{ match: 'ALL', tiers: [['unreliable']] }],
  }),
  transport: nodemailerTransport(),
  cooling: { initialMs: 10, maxMs: 40 },
});
const queue = sqliteQueue({
  database,
  deliverer,
  profile: { initialRetryMs: 20, maxRetryMs: 100, maxRetries: 100_000 },
  concurrency: 8,
  pollMs: 100,
  bounces: (report) =>
    Promise.resolve({
      envelope: { from: '', to: ['bounces@sender.test'] },
      message: `X-Id: bounce-of-${report.id}\r\nX-Bounce-Of: ${report.id}\r\n\r\nfailed\r\n`,
    }),
  onEvent: (event) => {
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
  say(`counters ${JSON.stringify({ delivered, softBounces, refused: hardBounces['5xx'] })}`);
} else {
  let messages = 0;
  const caller = async (): Promise<never> => {
    for (;;) {
      const id = `${name}-${String(messages++)}`;
      // Now and then longer than a piece, so that half-stored messages are left behind as well.
      const filling = messages % 40 === 0 ? 'y'.repeat(99).concat('\r\n').repeat(5_000) : 'x\r\n';
      await queue.submit(
        {
          envelope: { from: 'sender@sender.test', to: [`user@domain${String(messages % 5)}.test`] },
          message: `X-Id: ${id}\r\nSubject: crash\r\n\r\n${filling}`,
        },
        { id },
      );
      say(`stored ${id}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  await Promise.all([caller(), caller(), caller(), caller()]);
}
