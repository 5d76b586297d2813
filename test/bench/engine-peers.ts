/**
 * The queues on engines that are raced, and beside each the bare engine with jobs that carry the
 * same mail and a handler that does nothing. They run in worker processes.
 */
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';
import PgBoss from 'pg-boss';
import { Deliverer, defineRoutes } from '../../src/index.js';
import { nodemailerTransport } from '../../src/nodemailer/index.js';
import { bullmqQueue } from '../../src/queue/bullmq/index.js';
import type { DeliveryQueue, QueueOptions } from '../../src/queue/index.js';
import { pgBossQueue } from '../../src/queue/pg-boss/index.js';
import type { BenchMail } from './mail.js';

export type EngineName = 'BullMQ' | 'pg-boss';

export interface EngineSettings {
  readonly engine: EngineName;
  readonly whose: 'ours' | 'bare';
  /** Where Redis or PostgreSQL is. */
  readonly place: string;
  readonly name: string;
  readonly sinkPort: number;
}

export interface Submitter {
  submit(mail: BenchMail): Promise<unknown>;
}

export interface EnginePeer extends Submitter {
  /** Takes what waits, until nothing is left or so many are done; answers how many were. */
  drain(atMost: number): Promise<number>;
  /** Takes what comes in, above all from who is answered, until told to stop. */
  start(): Submitter & { stop(): Promise<void> };
  isEmpty(): Promise<boolean>;
  /** Statements sent to the database so far. */
  statements(): number;
  close(): Promise<void>;
}

/** At once in each process: the default of our queue. */
const AT_ONCE = 40;
const LOOK_EVERY_MS = 20;

export async function openEnginePeer(settings: EngineSettings): Promise<EnginePeer> {
  const { engine, whose } = settings;
  if (engine === 'BullMQ') return whose === 'ours' ? bullmq(settings) : bareBullmq(settings);
  return await (whose === 'ours' ? pgBoss(settings) : barePgBoss(settings));
}

function bullmq({ place, name, sinkPort }: EngineSettings): EnginePeer {
  const connection = new Redis(place, { maxRetriesPerRequest: null });
  const deliverer = toSink(sinkPort);
  return ours({
    open: (options) => bullmqQueue({ connection, name, deliverer, ...options }),
    statements: () => 0,
    close: async () => {
      await deliverer.close();
      await connection.quit();
    },
  });
}

async function pgBoss({ place, name, sinkPort }: EngineSettings): Promise<EnginePeer> {
  const pool = new pg.Pool({ connectionString: place, max: 10 });
  const statements = countStatements(pool);
  const boss = await startBoss(place);
  const deliverer = toSink(sinkPort);
  return ours({
    open: (options) => pgBossQueue({ boss, pool, name, deliverer, ...options }),
    statements,
    close: async () => {
      await deliverer.close();
      await boss.stop({ graceful: false });
      await pool.end();
    },
  });
}

interface Opened {
  readonly open: (options: Pick<QueueOptions, 'onEvent' | 'concurrency'>) => DeliveryQueue;
  readonly statements: () => number;
  readonly close: () => Promise<void>;
}

function ours({ open, statements, close }: Opened): EnginePeer {
  const queue = open({ concurrency: AT_ONCE });
  const submitTo =
    (to: DeliveryQueue): Submitter['submit'] =>
    ({ from, to: recipients, message }) =>
      to.submit({ envelope: { from, to: recipients }, message });
  const isEmpty = async (): Promise<boolean> => (await queue.counters()).active === 0;
  return {
    submit: submitTo(queue),
    drain: async (atMost) => {
      let done = 0;
      const enough = signal();
      // A queue of its own each time, in a process that is warm.
      const worker = open({
        concurrency: AT_ONCE,
        onEvent: ({ type }) => {
          if (type === 'done' && ++done >= atMost) enough.give();
        },
      });
      worker.start();
      await Promise.race([enough.given, until(async () => done >= atMost || (await isEmpty()))]);
      await worker.close();
      return done;
    },
    start: () => {
      const worker = open({ concurrency: AT_ONCE });
      worker.start();
      return { submit: submitTo(worker), stop: () => worker.close() };
    },
    isEmpty,
    statements,
    close: async () => {
      await queue.close();
      await close();
    },
  };
}

function bareBullmq({ place, name }: EngineSettings): EnginePeer {
  const connection = new Redis(place, { maxRetriesPerRequest: null });
  const queue = new Queue(name, { connection });
  const isEmpty = async (): Promise<boolean> => {
    const counts = await queue.getJobCounts('wait', 'active');
    return Object.values(counts).every((count) => count === 0);
  };
  const start = (onDone: () => void): Worker =>
    new Worker(
      name,
      () => {
        onDone();
        return Promise.resolve();
      },
      { connection, concurrency: AT_ONCE },
    );
  const submit: Submitter['submit'] = (mail) =>
    queue.add('mail', dataOf(mail), { removeOnComplete: true, removeOnFail: true });
  return {
    submit,
    drain: async (atMost) => {
      let done = 0;
      const enough = signal();
      const one = start(() => {
        if (++done >= atMost) enough.give();
      });
      await Promise.race([enough.given, until(async () => done >= atMost || (await isEmpty()))]);
      await one.close();
      return done;
    },
    start: () => {
      const worker = start(() => undefined);
      return { submit, stop: () => worker.close() };
    },
    isEmpty,
    statements: () => 0,
    close: async () => {
      await queue.close();
      await connection.quit();
    },
  };
}

async function barePgBoss({ place, name }: EngineSettings): Promise<EnginePeer> {
  const boss = await startBoss(place);
  await boss.createQueue(name);
  /**
   * `work()` sleeps for at least half a second between two batches, so its rate is the size of the
   * batch; this is what it does in between: fetch a batch, complete it.
   */
  const work = async (isOver: () => boolean, onDone: (count: number) => void): Promise<void> => {
    while (!isOver()) {
      const jobs = await boss.fetch(name, { batchSize: AT_ONCE });
      if (jobs.length === 0) await sleep(LOOK_EVERY_MS);
      else {
        const ids = jobs.map(({ id }) => id);
        await boss.complete(name, ids);
        onDone(ids.length);
      }
    }
  };
  const submit: Submitter['submit'] = (mail) => boss.send(name, dataOf(mail));
  return {
    submit,
    drain: async (atMost) => {
      let done = 0;
      let isEmpty = false;
      await Promise.race([
        until(async () => (isEmpty ||= (await boss.getQueueSize(name, { before: 'completed' })) === 0)),
        work(
          () => isEmpty || done >= atMost,
          (count) => {
            done += count;
          },
        ),
      ]);
      return done;
    },
    start: () => {
      let stopped = false;
      const working = work(
        () => stopped,
        () => undefined,
      );
      return {
        submit,
        stop: () => {
          stopped = true;
          return working;
        },
      };
    },
    isEmpty: async () => (await boss.getQueueSize(name, { before: 'completed' })) === 0,
    statements: () => 0,
    close: async () => {
      await boss.stop({ graceful: false });
    },
  };
}

function toSink(port: number): Deliverer {
  const relay = { host: '127.0.0.1', port, pool: true, maxConnections: AT_ONCE };
  const routes = defineRoutes({ relays: { sink: relay }, routes: [{ match: 'ALL', tiers: [['sink']] }] });
  return new Deliverer({ routes, transport: nodemailerTransport() });
}

async function startBoss(connectionString: string): Promise<PgBoss> {
  const boss = new PgBoss({ connectionString, max: 10, schedule: false });
  boss.on('error', (error) => {
    throw error;
  });
  await boss.start();
  return boss;
}

/** Counts what goes over the connections of a pool. */
function countStatements(pool: pg.Pool): () => number {
  let count = 0;
  pool.on('connect', (client) => {
    const query = client.query.bind(client) as (...args: unknown[]) => unknown;
    Object.assign(client, {
      query: (...args: unknown[]) => {
        count++;
        return query(...args);
      },
    });
  });
  return () => count;
}

function dataOf({ from, to, message }: BenchMail): object {
  return { from, to, message: message.toString('latin1') };
}

function signal(): { readonly given: Promise<void>; give(): void } {
  let give = (): void => undefined;
  const given = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { given, give: () => give() };
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(LOOK_EVERY_MS);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
