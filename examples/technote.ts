/**
 * The main job: a domain with two hosts of the same priority, the first out of resources. Two SMTP
 * servers on loopback play the hosts; the first greets with `431 … Mail system full`. The mail goes
 * to the second in the same moment, and no one has to act.
 *
 * Run it: npm start
 */
import { Deliverer, defineRoutes, mailLog } from 'smtp-routes';
import { nodemailerTransport } from 'smtp-routes/nodemailer';
import { startSmtpServer } from 'smtp-routes/testing';

const full = await startSmtpServer({ script: '431@greeting exchange1.example.com ESMTP\nMail system full' });
const good = await startSmtpServer({ name: 'exchange2.example.com' });

const routes = defineRoutes({
  relays: {
    exchange1: { host: full.host, port: full.port },
    exchange2: { host: good.host, port: good.port },
  },
  routes: [{ match: 'example.com', tiers: [['exchange1', 'exchange2']] }],
  otherwise: 'reject',
});

const log = mailLog();
const deliverer = new Deliverer({
  routes,
  transport: nodemailerTransport(),
  random: () => 0, // starts with the first relay, so that each run shows the same
  onEvent: (event) => {
    for (const line of log(event)) console.log(line);
  },
});

console.log('The log, in the form of the appliance:\n');
const outcome = await deliverer.deliver({
  envelope: { from: 'app@sender.example', to: ['user@example.com'] },
  message: 'From: app@sender.example\r\nTo: user@example.com\r\nSubject: Invoice\r\n\r\nHello.\r\n',
});
await deliverer.close();

console.log('\nThe outcome:\n');
for (const recipient of outcome.recipients) {
  const where = recipient.status === 'delivered' ? ` by ${recipient.relay}` : '';
  console.log(`  ${recipient.recipient}: ${recipient.status}${where}`);
}
for (const { relay, phase, failure, verdict } of outcome.attempts) {
  const reply =
    failure?.kind === 'reply' ? `${String(failure.reply.code)} ${failure.reply.text.replace('\n', ' / ')}` : '';
  console.log(`  attempt at ${relay}: ${failure ? `${phase}: ${reply} -> ${verdict?.action ?? ''}` : 'accepted'}`);
}

console.log('\nThe relays now:\n');
for (const [relay, { state, until }] of Object.entries(deliverer.health())) {
  const cooled = until === undefined ? '' : `, not first choice until ${new Date(until).toISOString()}`;
  console.log(`  ${relay}: ${state}${cooled}`);
}

console.log(`\nMessages that arrived at the second server: ${String(good.messages.length)}`);
await full.close();
await good.close();
