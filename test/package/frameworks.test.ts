/**
 * The routed transport where people use nodemailer: Express, NestJS' mailer module, a BullMQ worker,
 * Jest, a serverless handler. Each is a script in an app that has installed the tarball; it sends by
 * a full host and a good one, prints what became of the mail, and has to end by itself. Needs `dist/`,
 * and a registry for the frameworks; BullMQ needs redis-server.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, type TestContext } from 'vitest';
import { startSmtpServer } from '../../src/testing/index.js';
import { lockedVersion, pack, run } from './commands.js';
import { freePort } from '../free-port.js';

const FRAMEWORKS = [
  'express@5.1.0',
  '@nestjs-modules/mailer@2.3.7',
  '@nestjs/common@11.1.21',
  '@nestjs/core@11.1.21',
  // Which the mailer module requires, and does not name.
  'lodash@4.17.21',
  'reflect-metadata@0.2.2',
  'rxjs@7.8.2',
  'jest@30.5.2',
];

let app: string;
let whyNot: string | undefined;

/** What every script begins with: two servers, of which the first is full, and the transport over them. */
const PREAMBLE = `
const { createTransport } = require('nodemailer');
const { defineRoutes } = require('smtp-routes');
const { RoutedTransport } = require('smtp-routes/nodemailer');
const { startSmtpServer } = require('smtp-routes/testing');
const mail = { from: 'app@sender.example', to: 'user@example.com', subject: 'Hello', text: 'Hello.' };
async function setUp() {
  const full = await startSmtpServer({ script: '452@mail 4.3.1 full' });
  const good = await startSmtpServer();
  const routes = defineRoutes({
    relays: { full: { host: full.host, port: full.port }, good: { host: good.host, port: good.port, pool: true } },
    routes: [{ match: 'ALL', tiers: [['full'], ['good']] }],
  });
  const transport = new RoutedTransport({ routes });
  const end = async () => { await transport.close(); await full.close(); await good.close(); };
  return { transport, good, end };
}
const tell = (info, good) =>
  console.log(JSON.stringify({ accepted: info.accepted, tried: info.outcome.attempts.map(({ relay }) => relay), messages: good.messages.length }));
`;

const MAIL_TO = 'user@example.com';
const DELIVERED = { accepted: [MAIL_TO], tried: ['full', 'good'], messages: 1 };

beforeAll(async () => {
  app = mkdtempSync(join(tmpdir(), 'smtp-routes-frameworks-'));
  writeFileSync(join(app, 'package.json'), JSON.stringify({ name: 'app', version: '1.0.0', private: true }));
  const { tarball } = await pack(app);
  const locked = ['nodemailer', 'bullmq', 'ioredis'].map((name) => `${name}@${lockedVersion(name)}`);
  const quiet = ['--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error', '--prefix', app];
  try {
    await run(app, ['npm', 'install', ...quiet, tarball, ...locked, ...FRAMEWORKS]);
  } catch (error) {
    // A version that is not there, or a conflict, is ours to mend; a registry that does not answer is not.
    if (!/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|network/.test(String(error))) throw error;
    whyNot = 'the registry of packages is not reachable';
  }
});

afterAll(() => rmSync(app, { recursive: true, force: true }));

/** Runs a script in the app, as CommonJS; answers what it printed last. */
async function told(
  { skip }: TestContext,
  name: string,
  script: string,
  env: NodeJS.ProcessEnv = {},
): Promise<unknown> {
  if (whyNot !== undefined) skip(whyNot);
  writeFileSync(join(app, name), PREAMBLE + script);
  const output = await run(app, ['node', name], env);
  return JSON.parse(output.trim().split('\n').at(-1) ?? '');
}

it('Express: a request that sends mail', async (context) => {
  const script = `
const express = require('express');
(async () => {
  const { transport, good, end } = await setUp();
  const transporter = createTransport(transport);
  const app = express();
  app.post('/invite', async (request, response, next) => {
    try { response.json(await transporter.sendMail(mail)); } catch (error) { next(error); }
  });
  const server = app.listen(0, '127.0.0.1', async () => {
    const answer = await fetch('http://127.0.0.1:' + server.address().port + '/invite', { method: 'POST' });
    tell(await answer.json(), good);
    server.close();
    server.closeAllConnections();
    await end();
  });
})();`;
  expect(await told(context, 'express.cjs', script)).toEqual(DELIVERED);
});

it("NestJS' mailer module", async (context) => {
  const script = `
require('reflect-metadata');
const { Module } = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');
const { MailerModule, MailerService } = require('@nestjs-modules/mailer');
(async () => {
  const { transport, good, end } = await setUp();
  class AppModule {}
  Module({ imports: [MailerModule.forRoot({ transport, defaults: { from: mail.from } })] })(AppModule);
  const nest = await NestFactory.createApplicationContext(AppModule, { logger: false });
  const { from, ...rest } = mail;
  tell(await nest.get(MailerService).sendMail(rest), good);
  await nest.close();
  await end();
})();`;
  expect(await told(context, 'nest.cjs', script)).toEqual(DELIVERED);
});

it('a BullMQ worker', async (context) => {
  if (spawnSync('redis-server', ['--version']).error) context.skip('redis-server is not installed');
  const port = await freePort();
  const redis = spawn('redis-server', ['--port', String(port), '--save', '', '--bind', '127.0.0.1'], {
    cwd: app,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await new Promise<void>((resolve) => {
      redis.stdout.on('data', (text: Buffer) => {
        if (text.includes('Ready to accept connections')) resolve();
      });
    });
    const script = `
const { Queue, QueueEvents, Worker } = require('bullmq');
(async () => {
  const connection = { host: '127.0.0.1', port: Number(process.env.REDIS_PORT) };
  const { transport, good, end } = await setUp();
  const transporter = createTransport(transport);
  const worker = new Worker('mail', async (job) => transporter.sendMail(job.data), { connection });
  const queue = new Queue('mail', { connection });
  const events = new QueueEvents('mail', { connection });
  await events.waitUntilReady();
  const job = await queue.add('invite', mail);
  tell(await job.waitUntilFinished(events), good);
  await worker.close(); await events.close(); await queue.close();
  await end();
})();`;
    expect(await told(context, 'worker.cjs', script, { REDIS_PORT: String(port) })).toEqual(DELIVERED);
  } finally {
    redis.kill();
  }
});

it('a Jest test', async (context) => {
  if (whyNot !== undefined) context.skip(whyNot);
  const test = `${PREAMBLE}
test('the invitation goes by the second host', async () => {
  const { transport, good, end } = await setUp();
  const info = await createTransport(transport).sendMail(mail);
  expect(info.outcome.attempts.map(({ relay }) => relay)).toEqual(['full', 'good']);
  expect(good.messages).toHaveLength(1);
  await end();
});
test('an app may go on with jsonTransport', async () => {
  const info = await createTransport({ jsonTransport: true }).sendMail(mail);
  expect(JSON.parse(info.message)).toMatchObject({ subject: 'Hello' });
});`;
  writeFileSync(join(app, 'mail.test.cjs'), test);
  await run(app, ['node', 'node_modules/jest/bin/jest.js', '--ci', '--runInBand', '--testMatch', '**/mail.test.cjs']);
});

it('a serverless handler: the transport lives between calls, and its process ends by itself', async (context) => {
  const full = await startSmtpServer({ script: '452@mail 4.3.1 full' });
  const good = await startSmtpServer();
  const script = `
const [full, good] = process.env.PORTS.split(',').map((port) => ({ host: '127.0.0.1', port: Number(port), pool: true }));
const routes = defineRoutes({ relays: { full, good }, routes: [{ match: 'ALL', tiers: [['full'], ['good']] }] });
const transporter = createTransport(new RoutedTransport({ routes }));
const handler = async () => transporter.sendMail(mail);
(async () => {
  for (let call = 0; call < 3; call++) await handler();
  tell(await handler(), { messages: [] });
})();`;
  try {
    const ports = [full.port, good.port].join(',');
    expect(await told(context, 'handler.cjs', script, { PORTS: ports })).toMatchObject({ accepted: [MAIL_TO] });
    expect(good.messages).toHaveLength(4);
    expect(good.connections).toBe(1);
  } finally {
    await Promise.all([full.close(), good.close()]);
  }
});
