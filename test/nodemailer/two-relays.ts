/**
 * The set-up of most tests here: a route with two relays on real sockets, of which the first
 * misbehaves and the second accepts everything, reached through the public names only.
 */
import { Deliverer, defineRoutes } from 'smtp-routes';
import type { DelivererOptions, DeliverOptions, DeliveryEvent, DeliveryOutcome, Mail, SmtpVia } from 'smtp-routes';
import { nodemailerTransport } from 'smtp-routes/nodemailer';
import { recordEvents, startSmtpServer } from 'smtp-routes/testing';
import type { EventRecorder, SmtpServerOptions, SmtpTestServer } from 'smtp-routes/testing';

export interface Relays {
  readonly first: SmtpTestServer;
  readonly second: SmtpTestServer;
  readonly deliverer: Deliverer;
  readonly events: EventRecorder<DeliveryEvent>;
  /** Delivers `message` to `to`, by default one short message to one recipient. */
  readonly send: (
    to?: readonly string[],
    message?: Mail['message'],
    options?: DeliverOptions,
  ) => Promise<DeliveryOutcome>;
  /** Closes everything, and proves that the transport left no connection open. */
  readonly close: () => Promise<void>;
}

export interface RelaysOptions {
  readonly first?: SmtpServerOptions;
  readonly second?: SmtpServerOptions;
  /** Settings of both relays. */
  readonly via?: Partial<SmtpVia>;
  /** Settings of the first relay only. */
  readonly firstVia?: Partial<SmtpVia>;
  readonly deliverer?: Partial<DelivererOptions>;
}

export const SENDER = 'sender@example.net';
export const RECIPIENT = 'user@example.com';
export const SHORT: Buffer = messageOf(1024);

/** A message of about so many bytes, in lines, with some that begin with a dot. */
export function messageOf(bytes: number): Buffer {
  const line = '.a line of the body, of a length that is usual in mail, and then some\r\n';
  return Buffer.from(`Subject: test\r\n\r\n${line.repeat(Math.ceil(bytes / line.length))}`);
}

export async function startRelays({
  first,
  second,
  via,
  firstVia,
  deliverer: options,
}: RelaysOptions = {}): Promise<Relays> {
  const servers = [await startSmtpServer(first), await startSmtpServer(second)] as const;
  const events = recordEvents<DeliveryEvent>();
  const deliverer = new Deliverer({
    routes: defineRoutes({
      relays: {
        first: { host: servers[0].host, port: servers[0].port, ...via, ...firstVia },
        second: { host: servers[1].host, port: servers[1].port, ...via },
      },
      routes: [{ match: 'ALL', tiers: [['first'], ['second']] }],
    }),
    transport: nodemailerTransport(),
    onEvent: events,
    ...options,
  });
  return {
    first: servers[0],
    second: servers[1],
    deliverer,
    events,
    send: (to = [RECIPIENT], message = SHORT, opts) =>
      deliverer.deliver({ envelope: { from: SENDER, to }, message }, opts),
    close: async () => {
      await deliverer.close();
      for (const server of servers) {
        server.release();
        await server.until(({ open }) => open === 0);
        await server.close();
      }
    },
  };
}

/** Starts relays, uses them, and closes them whatever happens. */
export async function withRelays<T>(options: RelaysOptions, use: (relays: Relays) => Promise<T>): Promise<T> {
  const relays = await startRelays(options);
  try {
    return await use(relays);
  } finally {
    await relays.close();
  }
}
