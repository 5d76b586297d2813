/**
 * Mail straight to the exchanges of its domain, over DNS. A name server and two SMTP servers on
 * loopback play the world: the preferred exchange is out of order, so the mail goes to the next one.
 *
 * Run it: npx tsx examples/direct-to-mx.ts
 */
import { Deliverer, defineRoutes, RouteResolver } from 'smtp-routes';
import { dnsLookup } from 'smtp-routes/dns';
import { nodemailerTransport } from 'smtp-routes/nodemailer';
import { startSmtpServer } from 'smtp-routes/testing';
// The name server of our own tests. In real life, leave `servers` out.
import { DnsServer } from '../test/dns/dns-server.js';

const exchange = await startSmtpServer({ host: '127.0.0.2', name: 'mx2.example.com' });
const names = await DnsServer.start({
  'example.com': {
    mx: [
      [10, 'mx1.example.com'],
      [20, 'mx2.example.com'],
    ],
  },
  'mx1.example.com': { a: ['127.0.0.3'] }, // nobody listens there
  'mx2.example.com': { a: ['127.0.0.2'] },
  'nomail.example': { mx: [[0, '.']] },
});

const routes = defineRoutes({ relays: {}, routes: [] }); // no route for anything: to its MX
const deliverer = new Deliverer({
  routes,
  transport: nodemailerTransport(),
  dns: dnsLookup({ servers: [names.address], allowPrivateAddresses: true }), // for loopback
  mx: { port: exchange.port, name: 'mail.sender.example' },
});

const [question] = new RouteResolver(routes).explain('user@example.com').lookups;
console.log(`Would look up: ${question ?? ''}`);

const outcome = await deliverer.deliver({
  envelope: { from: 'app@sender.example', to: ['user@example.com', 'user@nomail.example', 'user@missing.example'] },
  message: 'From: app@sender.example\r\nTo: user@example.com\r\nSubject: Hello\r\n\r\nHello.\r\n',
});

for (const { domain, exchanges = [], failure } of outcome.lookups ?? []) {
  const found = exchanges.map(({ name, addresses }) => `${name} [${addresses.join(', ')}]`).join(', ');
  console.log(`DNS says of ${domain}: ${failure ? `${failure.enhanced ?? ''} ${failure.kind}` : found}`);
}
for (const { relay, address, failure } of outcome.attempts) {
  const result = failure?.kind === 'lost' ? failure.code : 'accepted';
  console.log(`Attempt at ${relay} [${address ?? ''}]: ${result}`);
}
for (const { recipient, status } of outcome.recipients) console.log(`${recipient}: ${status}`);

await deliverer.close();
await exchange.close();
await names.close();
