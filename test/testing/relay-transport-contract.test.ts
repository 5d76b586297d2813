import { describe, test } from 'vitest';
import { defineRoutes, type RecipientReport, type SendRequest } from 'smtp-routes';
import { nodemailerTransport } from 'smtp-routes/nodemailer';
import {
  relayTransportContract,
  ScriptedTransport,
  startSmtpServer,
  type RelayTransportSetting,
} from 'smtp-routes/testing';

function scripted(): RelayTransportSetting {
  const transport = new ScriptedTransport();
  const relay = defineRoutes({ relays: { a: { host: '192.0.2.1' } }, routes: [] }).relay('a');
  const refusedBy = ({ reports = [] }: (typeof transport.trace)[number]): string[] =>
    reports.flatMap(({ recipient, failure }) =>
      failure?.kind === 'reply' && failure.phase === 'envelope' ? recipient : [],
    );
  return {
    transport,
    relay,
    follow: (line) => transport.follow('a', line),
    copies: () =>
      transport.trace.flatMap((send) => {
        const to = send.recipients.filter((one) => !refusedBy(send).includes(one));
        return send.body ? [{ to, data: send.body }] : [];
      }),
    stalled: () => new Promise((resolve) => setImmediate(resolve)),
    release: () => void transport.release(),
    close: () => transport.close(),
  };
}

async function nodemailer(pool: boolean, pipelining = true): Promise<RelayTransportSetting> {
  // Asked at each moment, because a pooled connection goes on with the script it began with.
  let line = '250';
  const server = await startSmtpServer({ script: () => line, ...(!pipelining && { extensions: [] }) });
  const via = { host: server.host, port: server.port, pool };
  const relay = defineRoutes({ relays: { a: via }, routes: [] }).relay('a');
  const transport = nodemailerTransport();
  return {
    transport,
    relay,
    follow: (next) => void (line = next),
    copies: () => server.received,
    stalled: () => server.until(({ sessions }) => sessions.some(({ stalled }) => stalled)),
    release: () => void server.release(),
    close: async () => {
      await transport.close?.();
      await server.close();
    },
  };
}

const TRANSPORTS: readonly [string, () => RelayTransportSetting | Promise<RelayTransportSetting>][] = [
  ['ScriptedTransport', scripted],
  ['nodemailerTransport', () => nodemailer(false)],
  ['nodemailerTransport with a pool', () => nodemailer(true)],
  ['nodemailerTransport without PIPELINING', () => nodemailer(false, false)],
];

describe.each(TRANSPORTS)('%s', (_name, setUp) => {
  for (const { name, run } of relayTransportContract) test(name, () => run(setUp));
});

describe('the contract finds what is wrong', () => {
  const broken =
    (send: (request: SendRequest) => Promise<readonly RecipientReport[]>): (() => RelayTransportSetting) =>
    () => ({
      ...scripted(),
      transport: { send },
    });
  const failing = async (setUp: () => RelayTransportSetting): Promise<string[]> => {
    const failures: string[] = [];
    for (const { name, run } of relayTransportContract) await run(setUp).catch(() => failures.push(name));
    return failures;
  };

  test('a transport that says "delivered" to everything', async ({ expect }) => {
    const found = await failing(
      broken(({ envelope }) => Promise.resolve(envelope.to.map((recipient) => ({ recipient })))),
    );
    expect(found.length).toBeGreaterThan(15);
  });

  test('a transport that forgets a recipient', async ({ expect }) => {
    const found = await failing(
      broken(({ envelope }) => Promise.resolve(envelope.to.slice(1).map((recipient) => ({ recipient })))),
    );
    expect(found).toHaveLength(relayTransportContract.length);
  });
});
