/**
 * The set-up of the tests of `RoutedTransport`: two relays on real sockets, and the transporter of
 * an app over them.
 */
import { createTransport } from 'nodemailer';
import type { Transporter } from 'nodemailer';
import { defineRoutes } from 'smtp-routes';
import type { SmtpVia } from 'smtp-routes';
import { RoutedTransport } from 'smtp-routes/nodemailer';
import type { RoutedMailError, RoutedMessageInfo, RoutedTransportOptions } from 'smtp-routes/nodemailer';
import { startSmtpServer } from 'smtp-routes/testing';
import type { SmtpServerOptions, SmtpTestServer } from 'smtp-routes/testing';

export interface Routed {
  readonly first: SmtpTestServer;
  readonly second: SmtpTestServer;
  readonly transport: RoutedTransport;
  readonly transporter: Transporter<RoutedMessageInfo>;
}

export interface RoutedSetUp {
  readonly first?: SmtpServerOptions;
  readonly second?: SmtpServerOptions;
  readonly via?: Partial<SmtpVia>;
  readonly options?: RoutedTransportOptions;
}

/** `.` and its line end, which `messageSize` counts as nodemailer does. */
export const FINAL_DOT = 3;

export const MAIL = {
  from: 'App <app@sender.example>',
  to: 'user@example.com',
  subject: 'Hello',
  text: 'Hello there.',
} as const;

/** Uses the transporter, closes everything, and proves that no connection was left open. */
export async function withRouted<T>(
  { first, second, via, options }: RoutedSetUp,
  use: (routed: Routed) => Promise<T>,
): Promise<T> {
  const servers = [await startSmtpServer(first), await startSmtpServer(second)] as const;
  const transport = new RoutedTransport({
    routes: defineRoutes({
      relays: {
        first: { host: servers[0].host, port: servers[0].port, ...via },
        second: { host: servers[1].host, port: servers[1].port, ...via },
      },
      routes: [
        { match: 'void.test', action: 'discard' },
        { match: 'ALL', tiers: [['first'], ['second']] },
      ],
    }),
    ...options,
  });
  try {
    return await use({ first: servers[0], second: servers[1], transport, transporter: createTransport(transport) });
  } finally {
    await transport.close();
    for (const server of servers) {
      server.release();
      await server.until(({ open }) => open === 0);
      await server.close();
    }
  }
}

/** What a send was refused with. @throws if it was not */
export async function refusal(sending: Promise<RoutedMessageInfo>): Promise<RoutedMailError> {
  const info = await sending.catch((error: unknown) => error as RoutedMailError);
  if (!(info instanceof Error)) throw new Error(`it was sent: ${info.response}`);
  return info;
}
