/**
 * Many machines, shown on one: a producer and three workers, each a process of its own, share a
 * queue on Redis. One worker is killed in the middle of it, and another takes its place; every
 * message arrives.
 *
 * Run it: npx tsx examples/cluster.ts
 *
 * It starts a Redis of its own (Debian: apt-get install redis-server). With QUEUE_URL=redis://… or
 * QUEUE_URL=postgres://… it uses yours, under names of its own: `cluster-example`.
 */
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Deliverer, defineRoutes } from 'smtp-routes';
import { nodemailerTransport } from 'smtp-routes/nodemailer';
import type { DeliveryQueue, QueueOptions } from 'smtp-routes/queue';
import { startSmtpServer } from 'smtp-routes/testing';

const MESSAGES = 300;

/** The queue on what the URL names. The connections are the app's: `end` closes them, after the queue. */
async function openQueue(url: string, options: QueueOptions): Promise<{ queue: DeliveryQueue; end: () => unknown }> {
  if (url.startsWith('postgres')) {
    const { pgBossQueue } = await import('smtp-routes/queue/pg-boss');
    const { default: pg } = await import('pg');
    // pg-boss 12: const { PgBoss } = await import('pg-boss');
    const { default: PgBoss } = await import('pg-boss');
    const pool = new pg.Pool({ connectionString: url, max: 4, connectionTimeoutMillis: 10_000 });
    const boss = new PgBoss({ connectionString: url, max: 2, schedule: false });
    boss.on('error', (error) => console.error(error.message));
    await boss.start();
    const end = async (): Promise<void> => {
      await boss.stop();
      await pool.end();
    };
    return { queue: pgBossQueue({ ...options, boss, pool, name: 'cluster-example' }), end };
  }
  const { bullmqQueue } = await import('smtp-routes/queue/bullmq');
  const { Redis } = await import('ioredis');
  const connection = new Redis(url, { maxRetriesPerRequest: null });
  connection.on('error', () => undefined); // it connects again by itself
  return { queue: bullmqQueue({ ...options, connection, name: 'cluster-example' }), end: () => connection.quit() };
}

function newDeliverer(smtpPort: number): Deliverer {
  const routes = defineRoutes({
    relays: { exchange: { host: '127.0.0.1', port: smtpPort } },
    routes: [{ match: 'ALL', tiers: [['exchange']] }],
  });
  return new Deliverer({ routes, transport: nodemailerTransport({ pool: true }) });
}

/** Delivers until it is told to end, and then ends what it has begun: what a worker does at a deploy. */
async function work(url: string, smtpPort: number): Promise<void> {
  const deliverer = newDeliverer(smtpPort);
  const { queue, end } = await openQueue(url, {
    deliverer,
    concurrency: 10,
    onEvent: (event) => event.type === 'done' && process.send?.('delivered'),
  });
  queue.start({ keepAlive: true });
  await queue.counters(); // the queue answers
  process.send?.('ready');
  await new Promise((resolve) => process.once('message', resolve));
  await queue.close();
  await deliverer.close();
  await end();
  process.disconnect();
}

/** Only submits, and waits until the queue is empty. */
async function produce(url: string, smtpPort: number): Promise<void> {
  const deliverer = newDeliverer(smtpPort);
  const { queue, end } = await openQueue(url, { deliverer });
  for (let i = 1; i <= MESSAGES; i++) {
    await queue.submit({
      envelope: { from: 'app@sender.example', to: [`user${String(i)}@example.com`] },
      message: `From: app@sender.example\r\nSubject: Invoice ${String(i)}\r\n\r\nHello.\r\n`,
    });
  }
  process.send?.('submitted');
  while ((await queue.counters()).active > 0) await new Promise((resolve) => setTimeout(resolve, 50));
  const { delivered, active } = await queue.counters();
  console.log(`the queue says: ${String(delivered)} delivered, ${String(active)} left`);
  await queue.close();
  await deliverer.close();
  await end();
  process.disconnect();
}

/** A Redis that acknowledges what is on the disk. Undefined where there is no redis-server. */
async function startRedis(): Promise<{ url: string; stop: () => void } | undefined> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  const folder = mkdtempSync(join(tmpdir(), 'cluster-example-'));
  const flags = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', ''];
  const durable = ['--appendonly', 'yes', '--appendfsync', 'always', '--maxmemory-policy', 'noeviction'];
  const server = spawn('redis-server', [...flags, ...durable], { stdio: 'ignore' });
  const stop = (): void => {
    server.kill();
    rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', stop);
  const isThere = await new Promise<boolean>((resolve) => {
    server.once('spawn', () => {
      resolve(true);
    });
    server.once('error', () => {
      resolve(false);
    });
  });
  return isThere ? { url: `redis://127.0.0.1:${String(port)}`, stop } : undefined;
}

async function show(url: string): Promise<void> {
  const server = await startSmtpServer();
  const start = (...args: readonly string[]): ChildProcess =>
    fork(fileURLToPath(import.meta.url), [...args, url, String(server.port)]);
  const delivered = new Map<string, number>();
  const workers = new Map<string, ChildProcess>();
  const startWorker = async (name: string): Promise<void> => {
    const worker = start('worker');
    workers.set(name, worker);
    delivered.set(name, 0);
    await new Promise((resolve) => worker.once('message', resolve));
    worker.on('message', () => {
      delivered.set(name, (delivered.get(name) ?? 0) + 1);
      // In the middle of it. What it had begun is given to others.
      if (name !== 'worker 2' || delivered.get(name) !== 20) return;
      worker.kill('SIGKILL');
      workers.delete(name);
      console.log('worker 2 is killed; worker 4 takes its place');
      void startWorker('worker 4');
    });
  };
  // Only then the mail: otherwise the first to be there might take it all.
  await Promise.all(['worker 1', 'worker 2', 'worker 3'].map(startWorker));
  const producer = start('producer');
  await new Promise((resolve) => producer.once('exit', resolve));
  for (const worker of workers.values()) worker.send('end');
  await Promise.all([...workers.values()].map((worker) => new Promise((resolve) => worker.once('exit', resolve))));
  for (const [name, count] of delivered) console.log(`${name} delivered ${String(count)}`);
  const arrived = server.messages.map(({ data }) => /^Subject: (.*)$/m.exec(data.toString())?.[1]);
  console.log(`${String(new Set(arrived).size)} of ${String(MESSAGES)} messages arrived`);
  console.log(`copies because of the kill: ${String(arrived.length - new Set(arrived).size)}`);
  await server.close();
}

const [role, url = '', port = ''] = process.argv.slice(2);
if (role === 'worker') await work(url, Number(port));
else if (role === 'producer') await produce(url, Number(port));
else if (process.env['QUEUE_URL'] !== undefined) await show(process.env['QUEUE_URL']);
else {
  const redis = await startRedis();
  if (redis) {
    await show(redis.url);
    redis.stop();
  } else console.log('This needs redis-server, or QUEUE_URL=redis://… or postgres://…');
}
