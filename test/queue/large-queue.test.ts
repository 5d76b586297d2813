/**
 * A queue of 100,000 messages: what operators ask of it, and that none of it blocks the event loop
 * for long; and that claims go past whatever must not go.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Deliverer, defineRoutes, type DeliveryOutcome } from 'smtp-routes';
import { sqliteQueue, type DeliveryQueue, type ShownEntry } from 'smtp-routes/queue';
import { ManualClock, ScriptedTransport } from 'smtp-routes/testing';
import { fillQueue } from './fill-queue.js';
import { anyDriver, scratch, type Database } from './sqlite-drivers.js';

const MESSAGES = 100_000;
const DOMAINS = 100;
const EACH = MESSAGES / DOMAINS;

describe.skipIf(!anyDriver)('100,000 messages', { timeout: 60_000 }, () => {
  const clock = new ManualClock();
  const folder = scratch();
  const transport = new ScriptedTransport();
  let database: Database;
  let queue: DeliveryQueue;
  let deliverer: Deliverer;

  beforeAll(() => {
    if (!anyDriver) return;
    database = anyDriver.open(folder.file);
    const relays = { main: { host: '192.0.2.1' }, other: { host: '192.0.2.2' } };
    const routes = defineRoutes({ relays, routes: [{ match: 'ALL', tiers: [['main']] }] });
    deliverer = new Deliverer({ routes, transport, clock });
    queue = sqliteQueue({ deliverer, database, bounces: 'event', concurrency: 10, perDomain: 4 });
    const dueAt = clock.now() + 3_600_000;
    fillQueue(database, { messages: MESSAGES, domains: DOMAINS, retries: 3, dueAt, arrivalAt: clock.now() });
  }, 60_000);

  afterAll(async () => {
    if (!anyDriver) return;
    await queue.close();
    database.close();
    folder.remove();
  });

  async function everyPage(filter: object): Promise<ShownEntry[]> {
    const entries: ShownEntry[] = [];
    for (let after: string | undefined = '0'; after !== undefined;) {
      const page: Awaited<ReturnType<DeliveryQueue['show']>> = await queue.show({ ...filter, limit: 1000, after });
      entries.push(...page.entries);
      after = page.next;
    }
    return entries;
  }

  test('shows what fits, each once, in order', async () => {
    const entries = await everyPage({ domain: 'domain7.test' });
    expect(entries).toHaveLength(EACH);
    expect(new Set(entries.map(({ id }) => id)).size).toBe(EACH);
    expect(entries[0]).toMatchObject({ id: 'filled-7', domain: 'domain7.test', retries: 3, status: 'waiting' });
    expect((await queue.show({ id: 'filled-99999' })).entries).toHaveLength(1);
    const both = await everyPage({ domain: 'domain7.test', from: 'sender0@example.net' });
    expect(both.map(({ id }) => Number(id.slice(7)) % 7)).toEqual(both.map(() => 0));
  });

  test('claims pass over suspended domains, however much of them is due', async () => {
    expect(await queue.deliverNow('all')).toEqual({ entries: MESSAGES, recipients: MESSAGES, inFlight: 0 });
    for (let i = 1; i < DOMAINS; i++) await queue.suspend(`domain${String(i)}.test`);
    await queue.remove({ domain: 'domain0.test', from: 'sender1@example.net' });
    const outcomes: DeliveryOutcome[] = await queue.runDue();
    expect(outcomes.length).toBeGreaterThan(EACH / 2);
    expect(transport.trace.every(({ recipients }) => recipients[0]?.endsWith('@domain0.test'))).toBe(true);
    expect(await queue.hostStatus('domain0.test')).toMatchObject({ active: 0, delivered: outcomes.length });
  });

  test('redirects, bounces and removes, and counts what it did', async () => {
    const did = { entries: EACH, recipients: EACH, inFlight: 0 };
    expect(await queue.redirect({ domain: 'domain1.test' }, 'other')).toEqual(did);
    await queue.resume('domain1.test');
    await queue.runDue();
    expect(transport.trace.slice(-EACH).every(({ relay }) => relay === 'other')).toBe(true);
    expect(await queue.bounce({ domain: 'domain2.test' })).toEqual(did);
    expect(await queue.hostStatus('domain2.test')).toMatchObject({ active: 0, hardBounces: { other: EACH } });
    expect(await queue.remove({ domain: 'domain3.test' })).toEqual(did);
    const top = await queue.topHosts({ by: 'active', limit: 3 });
    expect(top.map(({ active }) => active)).toEqual([EACH, EACH, EACH]);
    const { active, removed } = await queue.counters();
    expect(active).toBe(MESSAGES - 4 * EACH);
    expect(removed).toBeGreaterThanOrEqual(EACH);
  });

  test('the event loop goes on meanwhile', async () => {
    let longest = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 1);
    await queue.remove('all');
    clearInterval(timer);
    console.log(
      `removing ${String(MESSAGES - 4 * EACH)} messages blocked the event loop for ${longest.toFixed(0)} ms at most`,
    );
    expect((await queue.counters()).active).toBe(0);
    // A machine that is busy otherwise takes its time too.
    expect(longest).toBeLessThan(1000);
  });
});
