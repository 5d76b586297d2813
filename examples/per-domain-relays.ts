/**
 * Each customer's mail goes by the customer's own relay; test addresses go nowhere; everything else
 * by the smarthost. One message to all of them is one call.
 */
import { createTransport } from 'nodemailer';
import { defineRoutes } from 'smtp-routes';
import { RoutedTransport } from 'smtp-routes/nodemailer';
import { startSmtpServer } from 'smtp-routes/testing';

const [acme, smarthost] = await Promise.all([startSmtpServer(), startSmtpServer()]);

const routes = defineRoutes({
  relays: {
    acme: { host: acme.host, port: acme.port },
    smarthost: { host: smarthost.host, port: smarthost.port },
  },
  routes: [
    { match: ['acme.example', '.acme.example'], tiers: [['acme'], ['smarthost']] },
    { match: 'invalid', action: 'discard' },
    { match: '.invalid', action: 'discard' },
    { match: 'ALL', tiers: [['smarthost']] },
  ],
});
const transporter = createTransport(new RoutedTransport({ routes }));

const info = await transporter.sendMail({
  from: 'app@sender.example',
  to: ['a@acme.example', 'b@eu.acme.example', 'c@example.com', 'd@test.invalid'],
  subject: 'News',
  text: 'Hello.',
});
for (const result of info.outcome.recipients) {
  console.log(`${result.recipient}: ${result.status}${result.status === 'delivered' ? ` by ${result.relay}` : ''}`);
}
console.log(`acme got one copy for ${acme.messages[0]?.to.join(' and ') ?? 'nobody'}`);
await Promise.all([acme.close(), smarthost.close()]);
