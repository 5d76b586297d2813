/**
 * Two providers share the mail three to one, and a third server waits for the day when both are
 * down.
 */
import { createTransport } from 'nodemailer';
import { defineRoutes } from 'smtp-routes';
import { RoutedTransport } from 'smtp-routes/nodemailer';
import { startSmtpServer } from 'smtp-routes/testing';

const [large, small, backup] = await Promise.all([startSmtpServer(), startSmtpServer(), startSmtpServer()]);

const routes = defineRoutes({
  relays: {
    large: { host: large.host, port: large.port, pool: true },
    small: { host: small.host, port: small.port, pool: true },
    backup: { host: backup.host, port: backup.port },
  },
  routes: [{ match: 'ALL', tiers: [[{ relay: 'large', weight: 3 }, 'small'], ['backup']] }],
});
const transport = new RoutedTransport({ routes });
const transporter = createTransport(transport, { from: 'app@sender.example' });

async function send(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await transporter.sendMail({ to: `user${String(i)}@example.com`, text: 'Hello.' });
  console.log([large, small, backup].map(({ messages }) => messages.length).join(' '));
}

await send(8); // 6 2 0
await Promise.all([large.close(), small.close()]);
await send(2); // 6 2 2

await transport.close();
await backup.close();
