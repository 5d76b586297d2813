/**
 * The suite runs against each nodemailer that the peer range allows. This proves that the one
 * asked for is the one in use: by the tests, and by the transport as well.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as smtpConnection from 'nodemailer/lib/smtp-connection/index.js';
import { Deliverer, defineRoutes } from 'smtp-routes';
import { nodemailerTransport } from 'smtp-routes/nodemailer';
import { startSmtpServer } from 'smtp-routes/testing';
import { expect, it, vi } from 'vitest';
import { root } from '../../.config/subpaths.js';

interface Connection {
  readonly version: string;
  connect(done: () => void): void;
}

type ConnectionClass = new () => Connection;

const loaded = smtpConnection.default as unknown as ConnectionClass | { readonly default: ConnectionClass };
const SMTPConnection = 'default' in loaded ? loaded.default : loaded;

it('the transport speaks through the nodemailer that was asked for', async () => {
  const folder = process.env['SMTP_ROUTES_NODEMAILER'] ?? join(root, 'node_modules/nodemailer');
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };
  console.info(`nodemailer ${manifest.version}`);
  expect(new SMTPConnection().version).toBe(manifest.version);

  const connect = vi.spyOn(SMTPConnection.prototype as Connection, 'connect');
  const server = await startSmtpServer();
  const deliverer = new Deliverer({
    routes: defineRoutes({
      relays: { only: { host: '127.0.0.1', port: server.port } },
      routes: [{ match: 'example.com', tiers: [['only']] }],
    }),
    transport: nodemailerTransport(),
  });
  try {
    await deliverer.deliver({
      envelope: { from: '', to: ['user@example.com'] },
      message: 'Subject: x\r\n\r\nhello\r\n',
    });
    expect(connect).toHaveBeenCalled();
  } finally {
    connect.mockRestore();
    await deliverer.close();
    await server.close();
  }
});
