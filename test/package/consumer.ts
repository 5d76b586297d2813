/**
 * An app that installed the package: the first relay is full, so the second takes the mail, out of a
 * queue that could build a bounce.
 * Compiled as `consumer.mts` and `consumer.cts` against the published types, then run.
 */
import { Deliverer, defineRoutes, type DeliveryOutcome, type RouteTable } from 'smtp-routes';
import { nodemailerTransport } from 'smtp-routes/nodemailer';
import { buildBounce, memoryQueue } from 'smtp-routes/queue';
import { startSmtpServer } from 'smtp-routes/testing';

export async function routeOneMessage(): Promise<DeliveryOutcome> {
  const full = await startSmtpServer({ script: '431@greeting Mail system full' });
  const good = await startSmtpServer();
  const routes = defineRoutes({
    relays: { a: { host: '127.0.0.1', port: full.port }, b: { host: '127.0.0.1', port: good.port } },
    routes: [{ match: 'example.com', tiers: [['a', 'b']] }],
  });
  const deliverer = new Deliverer({ routes, transport: nodemailerTransport() });
  const queue = memoryQueue({ deliverer });
  const envelope = { from: 'sender@example.org', to: ['user@example.com'] };
  const message = 'Subject: x\r\n\r\nhello\r\n';
  await queue.submit({ envelope, message });
  const [outcome] = await queue.runDue();
  await queue.close();
  await deliverer.close();
  const bounce = await buildBounce({
    ...{ kind: 'failed', id: 'x', now: 0, arrivalAt: 0, reportingMta: 'mta.example.org', envelope, message },
    recipients: [{ recipient: 'a@example.com', attempts: 1, failure: { kind: 'unroutable', message: 'no' } }],
  });
  if (!outcome || !Buffer.from(bounce.message as Uint8Array).includes('Action: failed')) throw new Error('no bounce');
  await Promise.all([full.close(), good.close()]);
  return outcome;
}

/** Never called: that it compiles is the test. */
export function mistypedRelay(): RouteTable {
  return defineRoutes({
    relays: { a: { host: '127.0.0.1', port: 25 } },
    // @ts-expect-error There is no relay `b`.
    routes: [{ match: 'example.com', tiers: [['b']] }],
  });
}
