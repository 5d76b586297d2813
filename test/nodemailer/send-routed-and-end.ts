/** A script that sends one message through the routed transport, closes nothing, and is over. */
import { createTransport } from 'nodemailer';
import { defineRoutes } from 'smtp-routes';
import { RoutedTransport } from 'smtp-routes/nodemailer';

const [port, pool] = process.argv.slice(2);
const routes = defineRoutes({
  relays: { main: { host: '127.0.0.1', port: Number(port), pool: pool === 'pool' } },
  routes: [{ match: 'ALL', tiers: [['main']] }],
});
const transporter = createTransport(new RoutedTransport({ routes }));
await transporter.sendMail({ from: 'app@sender.example', to: 'user@example.com', text: 'x' });
console.log('sent');
