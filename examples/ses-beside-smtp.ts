/**
 * Amazon SES through nodemailer's own SES transport, and an SMTP relay beside it for the time when SES
 * throttles. The client here is a stand-in for `SESv2Client` of @aws-sdk/client-sesv2: there is no
 * network in an example.
 */
import { createTransport, type TransportConfig } from 'nodemailer';
import { defineRoutes, type ClassifyHook } from 'smtp-routes';
import { RoutedTransport } from 'smtp-routes/nodemailer';
import { startSmtpServer } from 'smtp-routes/testing';

let throttling = false;
const sesClient = {
  send: (): Promise<{ MessageId: string }> =>
    throttling
      ? Promise.reject(Object.assign(new Error('Maximum sending rate exceeded.'), { code: 'TooManyRequestsException' }))
      : Promise.resolve({ MessageId: '0100018f' }),
};
class SendEmailCommand {
  readonly input: unknown;
  constructor(input: unknown) {
    this.input = input;
  }
}

const smtp = await startSmtpServer();
const ses = createTransport({ SES: { sesClient, SendEmailCommand } } as TransportConfig);
const routes = defineRoutes({
  relays: { ses: { transport: ses }, smtp: { host: smtp.host, port: smtp.port } },
  routes: [{ match: 'ALL', tiers: [['ses'], ['smtp']] }],
});

/** SES says with this code that it did not take the message. Any other error of it may hide a delivery. */
const classify: ClassifyHook = (failure, verdict) =>
  failure.kind === 'lost' && failure.code === 'TooManyRequestsException'
    ? { action: 'next-relay', cool: true }
    : verdict;

const transporter = createTransport(new RoutedTransport({ routes, classify }));

async function send(): Promise<void> {
  const info = await transporter.sendMail({ from: 'app@sender.example', to: 'user@example.com', text: 'Hello.' });
  const [result] = info.outcome.recipients;
  console.log(result?.status === 'delivered' ? `delivered by ${result.relay}` : result?.status);
}

await send();
throttling = true;
await send();
await smtp.close();
