/**
 * An app before and after: the argument of `createTransport` changes, and nothing else. The server
 * that the app always used is full today.
 */
import { createTransport, type SendMailOptions } from 'nodemailer';
import { defineRoutes } from 'smtp-routes';
import { RoutedTransport } from 'smtp-routes/nodemailer';
import { startSmtpServer } from 'smtp-routes/testing';

const full = await startSmtpServer({ script: '452@mail 4.3.1 Insufficient system resources' });
const spare = await startSmtpServer({ script: '250@final-reply 2.0.0 queued' });

/** The app. It knows nodemailer, and nothing of routes. */
async function sendInvoice(transporter: {
  sendMail(mail: SendMailOptions): Promise<{ response?: string }>;
}): Promise<void> {
  const mail = { from: 'App <app@sender.example>', to: 'user@example.com', subject: 'Invoice', text: 'Hello.' };
  try {
    const info = await transporter.sendMail(mail);
    console.log(`sent: ${info.response ?? ''}`);
  } catch (error) {
    console.log(`not sent: ${(error as Error).message}`);
  }
}

// Before.
await sendInvoice(createTransport({ host: full.host, port: full.port }));

// After.
const routes = defineRoutes({
  relays: { main: { host: full.host, port: full.port }, spare: { host: spare.host, port: spare.port } },
  routes: [{ match: 'ALL', tiers: [['main'], ['spare']] }],
});
await sendInvoice(createTransport(new RoutedTransport({ routes })));

console.log(`messages at the spare server: ${String(spare.messages.length)}`);
await Promise.all([full.close(), spare.close()]);
