/**
 * A script as people write them: it sends one message over a pooled connection and closes nothing.
 */
import { Deliverer, defineRoutes } from 'smtp-routes';
import { nodemailerTransport } from 'smtp-routes/nodemailer';

const deliverer = new Deliverer({
  routes: defineRoutes({
    relays: { only: { host: '127.0.0.1', port: Number(process.argv[2]), pool: true } },
    routes: [{ match: 'ALL', tiers: [['only']] }],
  }),
  transport: nodemailerTransport(),
});
const outcome = await deliverer.deliver({
  envelope: { from: 'sender@example.net', to: ['user@example.com'] },
  message: 'Subject: x\r\n\r\nhello\r\n',
});
console.log(outcome.recipients[0]?.status);
