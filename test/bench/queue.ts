/**
 * The durable queue: what group commits gain, the whole way of a message, what a claim costs as the
 * queue grows, and how long it keeps the event loop.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Deliverer, defineRoutes } from '../../src/index.js';
import { nodemailerTransport } from '../../src/nodemailer/index.js';
import { sqliteQueue, type DeliveryQueue } from '../../src/queue/index.js';
import { ScriptedTransport } from '../../src/testing/index.js';
import { fillQueue } from '../queue/fill-queue.js';
import { anyDriver, type Database, type Driver } from '../queue/sqlite-drivers.js';
import { startSink } from '../smtp-sink.js';
import type { Bench } from './bench.js';
import { benchMail } from './mail.js';
import { startPostfix } from './postfix.js';
import { number, spread, table, verdict } from './report.js';
import { inTurn, ratios, spreadOf } from './rounds.js';

const CALLERS = 50;
const DOMAINS = 10;
export const queue: Bench = {
  name: 'queue',

  async run(_workers, { quick }) {
    if (!anyDriver) {
      console.log('skipped: neither node:sqlite (Node 22.13) nor better-sqlite3 is there');
      return [false];
    }
    return [
      ...(await submits(anyDriver, quick)),
      ...(await wholeWay(anyDriver, quick)),
      ...(await claims(anyDriver, quick)),
    ];
  },
};

interface Opened {
  readonly queue: DeliveryQueue;
  readonly database: Database;
  readonly close: () => Promise<void>;
}

function open(driver: Driver, deliverer: Deliverer): Opened {
  const folder = mkdtempSync(join(tmpdir(), 'smtp-routes-bench-'));
  const database = driver.open(join(folder, 'queue.db'));
  const opened = sqliteQueue({ database, deliverer });
  return {
    queue: opened,
    database,
    close: async () => {
      await opened.close();
      database.close();
      rmSync(folder, { recursive: true });
    },
  };
}

function toNobody(): Deliverer {
  const routes = defineRoutes({
    relays: { none: { host: '192.0.2.1' } },
    routes: [{ match: 'ALL', tiers: [['none']] }],
  });
  return new Deliverer({ routes, transport: new ScriptedTransport() });
}

/** Messages a second with so many callers, each waiting for one before the next. */
async function submitRate(opened: DeliveryQueue, messages: number, callers: number): Promise<number> {
  const { from, message } = benchMail(4096, 1);
  const startedAt = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (next < messages) {
        const to = [`user@domain${String(next++ % DOMAINS)}.test`];
        await opened.submit({ envelope: { from, to }, message });
      }
    }),
  );
  return (messages * 1000) / (performance.now() - startedAt);
}

async function submits(driver: Driver, quick: boolean): Promise<boolean[]> {
  const opened = open(driver, toNobody());
  const messages = quick ? 1000 : 4000;
  const [one = [], many = []] = await inTurn(
    [() => submitRate(opened.queue, messages / 4, 1), () => submitRate(opened.queue, messages, CALLERS)],
    quick ? 3 : 7,
    1,
  );
  await opened.close();
  console.log('\ndurable submit, 4 KiB, messages a second');
  table(
    [
      { title: '', width: 34 },
      { title: 'msgs/s', width: 24 },
    ],
    [
      ['one caller: one commit each', spread(spreadOf(one))],
      [`${String(CALLERS)} callers`, spread(spreadOf(many))],
    ],
  );
  return [verdict({ what: 'of one commit each', atLeast: 5, value: ratios(many, one).median })];
}

async function wholeWay(driver: Driver, quick: boolean): Promise<boolean[]> {
  await using sink = await startSink();
  const relay = { host: '127.0.0.1', port: sink.port, pool: true, maxConnections: 20 };
  const routes = defineRoutes({ relays: { sink: relay }, routes: [{ match: 'ALL', tiers: [['sink']] }] });
  const deliverer = new Deliverer({ routes, transport: nodemailerTransport() });
  const opened = open(driver, deliverer);
  opened.queue.start();
  const messages = quick ? 1000 : 5000;
  const round = async (): Promise<{ rate: number; blockedMs: number }> => {
    const loop = watchLoop();
    const startedAt = performance.now();
    await submitRate(opened.queue, messages, CALLERS);
    while ((await opened.queue.counters()).active > 0) await new Promise((resolve) => setTimeout(resolve, 2));
    return { rate: (messages * 1000) / (performance.now() - startedAt), blockedMs: loop.stop() };
  };
  await using postfix = await startPostfix(sink.port);
  const relayed: number[] = [];
  const peer = async (): Promise<{ rate: number; blockedMs: number }> => {
    if (postfix) relayed.push(await postfix.rate(messages / 5, CALLERS, 4096));
    return { rate: NaN, blockedMs: NaN };
  };
  const [rounds = []] = await inTurn([round, peer], quick ? 3 : 7, 1);
  await opened.close();
  await deliverer.close();
  const rate = spreadOf(rounds.map((one) => one.rate));
  const blocked = spreadOf(rounds.map((one) => one.blockedMs));
  console.log(`\nthe whole way: submit durably, deliver to smtp-sink, remove; ${String(CALLERS)} callers, 4 KiB`);
  console.log(`  messages a second: ${spread(rate)}; the event loop was blocked for ${spread(blocked)} ms at most`);
  if (!postfix) return [false];
  const theirs = relayed.slice(1);
  console.log(`  Postfix, relaying to the same sink: ${spread(spreadOf(theirs))}`);
  const value = ratios(
    rounds.map((one) => one.rate),
    theirs,
  ).median;
  return [verdict({ what: 'of Postfix', atLeast: 5, value })];
}

/** How long the event loop did not come round, at most. */
function watchLoop(): { stop(): number } {
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  }, 1);
  return {
    stop: () => {
      clearInterval(timer);
      return longest;
    },
  };
}

const WAITING = [1_000, 100_000, 1_000_000];
const CLAIMED = 400;

/** The cost of claiming and settling, with so much waiting and due that most of it must not go. */
async function claims(driver: Driver, quick: boolean): Promise<boolean[]> {
  const costs: number[] = [];
  for (const messages of quick ? WAITING.slice(0, 2) : WAITING) {
    const opened = open(driver, toNobody());
    const now = Date.now();
    // All due; the nine tenths that are for suspended domains are older.
    fillQueue(opened.database, { messages, domains: DOMAINS, retries: 1, dueAt: now - 10_000, arrivalAt: now });
    for (let i = 1; i < DOMAINS; i++) await opened.queue.suspend(`domain${String(i)}.test`);
    await opened.queue.remove({ id: 'filled-0' });
    const due = messages / DOMAINS - 1;
    const counted = Math.min(CLAIMED, due);
    opened.database.exec(
      `UPDATE smtp_routes_entry SET due_at = due_at + 1e10 WHERE domain = 'domain0.test' AND seq NOT IN
         (SELECT seq FROM smtp_routes_entry WHERE domain = 'domain0.test' ORDER BY due_at LIMIT ${String(counted)})`,
    );
    const startedAt = performance.now();
    const { length } = await opened.queue.runDue();
    const cost = ((performance.now() - startedAt) * 1000) / length;
    costs.push(cost);
    console.log(
      `  ${number(messages)} waiting: ${number(cost)} µs for a message claimed, attempted and settled (${String(length)})`,
    );
    await opened.close();
  }
  const [first = NaN, last = NaN] = [costs[0], costs.at(-1)];
  return [verdict({ what: 'cost with the most waiting, of the least', atMost: 2, value: last / first })];
}
