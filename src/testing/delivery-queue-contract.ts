/**
 * What every `DeliveryQueue` must do, whatever stores the mail: `deliveryQueueContract`, in the
 * form of `contract.ts`. Cases drive the queue with `runDue()` and short schedules, so that an
 * engine with timers of its own can pass too: it lets the time really go by.
 */
import assert from 'node:assert/strict';
import type { Clock } from '../delivery/system-clock.js';
import { Deliverer } from '../delivery/deliverer.js';
import { defineRoutes } from '../core/define-routes.js';
import type { Mail } from '../delivery/mail.js';
import type { DeliveryQueue, Which } from '../queue/delivery-queue.js';
import type { QueueEvent } from '../queue/queue-event.js';
import type { QueueOptions } from '../queue/queue-options.js';
import type { ContractCase } from './contract.js';
import type { Script } from './scripted-sessions.js';
import { ScriptedTransport } from './scripted-transport.js';

/** Mail in one place, and queues over it. */
export interface QueueSetting {
  readonly clock: Clock;
  /** Lets so much time go by on that clock. */
  pass(ms: number): Promise<void>;
  /** A queue on this mail; a further one is a further worker, as a process of its own would be. */
  open(options: QueueOptions): DeliveryQueue | Promise<DeliveryQueue>;
  /** Whether queues opened one after the other see the same mail. */
  readonly durable: boolean;
  /** Closes what is behind the queues. */
  end(): Promise<void>;
}

type Open = (
  scripts?: Readonly<Record<string, Script>>,
  options?: Partial<QueueOptions>,
) => Promise<{ queue: DeliveryQueue; transport: ScriptedTransport; events: QueueEvent[] }>;

interface Stage {
  readonly open: Open;
  readonly pass: (ms: number) => Promise<void>;
  readonly durable: boolean;
}

const MESSAGE = 'Subject: contract\r\n\r\nhello\r\n';
/** Short, for queues whose time really goes by. */
const PROFILE = { initialRetryMs: 200, maxRetryMs: 400, maxQueueTimeMs: 10_000 };
/** Longer than the first wait with its jitter. */
const RETRY_MS = 300;

function mailTo(...to: readonly string[]): Mail {
  return { envelope: { from: 'sender@example.net', to }, message: MESSAGE };
}

function queueCase(name: string, play: (stage: Stage) => Promise<void>): ContractCase<QueueSetting> {
  return {
    name,
    run: async (setUp) => {
      const setting = await setUp();
      const queues: DeliveryQueue[] = [];
      const deliverers: Deliverer[] = [];
      const open: Open = async (scripts = {}, options = {}) => {
        const transport = new ScriptedTransport(scripts);
        const deliverer = new Deliverer({ routes: ROUTES, transport, clock: setting.clock, random: () => 0.5 });
        const events: QueueEvent[] = [];
        const queue = await setting.open({
          deliverer,
          profile: PROFILE,
          onEvent: (event) => events.push(event),
          ...options,
        });
        queues.push(queue);
        deliverers.push(deliverer);
        return { queue, transport, events };
      };
      try {
        await play({ open, pass: (ms) => setting.pass(ms), durable: setting.durable });
      } finally {
        for (const queue of queues) await queue.close();
        for (const deliverer of deliverers) await deliverer.close();
        await setting.end();
      }
    },
  };
}

/** Every domain at a relay of its own, the rest at a smarthost. */
const ROUTES = defineRoutes({
  relays: Object.fromEntries(
    ['a', 'b', 'smarthost', 'elsewhere'].map((id, i) => [id, { host: `192.0.2.${String(i + 1)}`, port: 25 }]),
  ),
  routes: [
    { match: 'a.test', tiers: [['a']] },
    { match: 'b.test', tiers: [['b']] },
    { match: 'ALL', tiers: [['smarthost']] },
  ],
});

function statuses(outcomes: readonly { readonly recipients: readonly { readonly status: string }[] }[]): string[] {
  return outcomes.flatMap(({ recipients }) => recipients.map(({ status }) => status)).sort();
}

async function waiting(queue: DeliveryQueue): Promise<string[]> {
  const { entries } = await queue.show();
  return entries.flatMap(({ recipients }) => recipients.map(({ recipient }) => recipient)).sort();
}

function ofType<Type extends QueueEvent['type']>(
  events: readonly QueueEvent[],
  type: Type,
): (QueueEvent & { type: Type })[] {
  return events.filter((event): event is QueueEvent & { type: Type } => event.type === type);
}

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let turn = 0; turn < 5_000; turn++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, turn < 100 ? 0 : 2));
  }
  assert.fail(`never came about: ${what}`);
}

async function rejects(work: () => Promise<unknown>, name: string): Promise<void> {
  await assert.rejects(work, (error: Error) => {
    assert.equal(error.name, name);
    return true;
  });
}

export const deliveryQueueContract: readonly ContractCase<QueueSetting>[] = [
  queueCase('stores, delivers when it runs, and forgets what is delivered', async ({ open }) => {
    const { queue, transport, events } = await open();
    const { id, outcome } = await queue.submit(mailTo('one@a.test', 'two@b.test'));
    assert.equal(outcome, undefined);
    assert.equal(transport.trace.length, 0, 'nothing is tried before it runs');
    assert.deepEqual(await waiting(queue), ['one@a.test', 'two@b.test']);
    assert.deepEqual(statuses(await queue.runDue()), ['delivered', 'delivered']);
    assert.deepEqual(await waiting(queue), []);
    assert.deepEqual(
      ofType(events, 'done').map((event) => event.id),
      [id],
    );
    assert.equal((await queue.counters()).delivered, 2);
    assert.deepEqual(await queue.runDue(), []);
  }),

  queueCase('the first attempt may be waited for, also in a queue that does not run', async ({ open }) => {
    const { queue } = await open({ b: '450@rcpt later' });
    const mail = mailTo('one@a.test', 'two@b.test');
    const { id, outcome } = await queue.submit(mail, { wait: 'first-attempt' });
    assert.equal(outcome?.id, id);
    assert.deepEqual(
      outcome.recipients.map(({ status }) => status),
      ['delivered', 'queue-for-later'],
    );
    assert.deepEqual(await waiting(queue), ['two@b.test']);
  }),

  queueCase('only open recipients are tried again, and each keeps its history', async ({ open, pass }) => {
    const { queue, transport } = await open({ a: ['450@rcpt(two@a.test) 4.2.1 full', '250'] });
    await queue.submit(mailTo('one@a.test', 'two@a.test'));
    assert.deepEqual(statuses(await queue.runDue()), ['delivered', 'queue-for-later']);
    const [entry] = (await queue.show()).entries;
    assert.equal(entry?.retries, 1);
    assert.deepEqual(
      entry.recipients.map(({ recipient, attempts, history }) => [
        recipient,
        attempts,
        history.map(({ relay }) => relay),
      ]),
      [['two@a.test', 1, ['a']]],
    );
    assert.deepEqual(await queue.runDue(), [], 'nothing is due yet');
    await pass(RETRY_MS);
    assert.deepEqual(statuses(await queue.runDue()), ['delivered']);
    assert.deepEqual(
      transport.trace.map(({ recipients }) => recipients),
      [['one@a.test', 'two@a.test'], ['two@a.test']],
    );
  }),

  queueCase('recipients of one message whose domains share a relay share a transaction', async ({ open }) => {
    const { queue, transport } = await open();
    await queue.submit(mailTo('one@x.test', 'two@y.test', 'three@z.test'));
    await queue.runDue();
    assert.deepEqual(
      transport.trace.map(({ recipients }) => recipients),
      [['one@x.test', 'two@y.test', 'three@z.test']],
    );
  }),

  queueCase('a rejected recipient is bounced to the sender, from the null sender', async ({ open }) => {
    const bounces: string[][] = [];
    const { queue, transport, events } = await open(
      { a: '550@rcpt(two@a.test) 5.1.1 no such user' },
      {
        bounces: (report) => {
          bounces.push(report.recipients.map(({ recipient }) => recipient));
          const envelope = { from: '', to: [report.envelope.from] };
          return Promise.resolve({ envelope, message: 'Subject: failed\r\n\r\n' });
        },
      },
    );
    await queue.submit(mailTo('one@a.test', 'two@a.test'));
    await queue.runDue();
    assert.deepEqual(bounces, [['two@a.test']]);
    assert.equal(ofType(events, 'bounced').length, 1);
    assert.deepEqual(
      transport.trace.map(({ from, recipients }) => [from, recipients]),
      [
        ['sender@example.net', ['one@a.test', 'two@a.test']],
        ['', ['sender@example.net']],
      ],
    );
    assert.equal((await queue.counters()).hardBounces['5xx'], 1);
    assert.deepEqual(await waiting(queue), []);
  }),

  queueCase('no bounce for a null sender, but an event', async ({ open }) => {
    const { queue, events } = await open({ a: '550@rcpt no' });
    await queue.submit({ envelope: { from: '', to: ['one@a.test'] }, message: MESSAGE });
    await queue.runDue();
    assert.deepEqual(
      ofType(events, 'bounced').map(({ notSent }) => notSent),
      ['null-sender'],
    );
    assert.deepEqual(await waiting(queue), []);
  }),

  queueCase('the schedule ends with 5.4.7', async ({ open, pass }) => {
    const { queue, events } = await open({ a: '450@rcpt later' }, { bounces: 'event' });
    await queue.submit(mailTo('one@a.test'), { profile: { maxRetries: 1 } });
    await queue.runDue();
    await pass(RETRY_MS);
    await queue.runDue();
    const [bounced] = ofType(events, 'bounced');
    assert.equal(bounced?.recipients[0]?.failure.kind, 'expired');
    assert.equal(bounced.recipients[0].failure.enhanced, '5.4.7');
    assert.equal(bounced.recipients[0].attempts, 2);
    assert.equal((await queue.counters()).hardBounces.expired, 1);
  }),

  queueCase('a success wakes what waits for the same domain', async ({ open, pass }) => {
    const { queue } = await open({ a: ['450@rcpt later', '250', '250'] });
    await queue.submit(mailTo('one@a.test'));
    await queue.runDue();
    assert.deepEqual(await waiting(queue), ['one@a.test']);
    await pass(20);
    await queue.submit(mailTo('two@a.test'));
    await queue.runDue();
    await queue.runDue();
    assert.deepEqual(await waiting(queue), []);
  }),

  queueCase('what may have arrived is tried again by default', async ({ open, pass }) => {
    const { queue, transport } = await open({ a: ['close@final-reply', '250'] });
    await queue.submit(mailTo('one@a.test'));
    assert.deepEqual(statuses(await queue.runDue()), ['possibly-delivered']);
    await pass(RETRY_MS);
    assert.deepEqual(statuses(await queue.runDue()), ['delivered']);
    assert.equal(transport.trace.length, 2);
  }),

  queueCase('what may have arrived can be held, released and dropped', async ({ open, pass }) => {
    const { queue, events } = await open(
      { a: ['close@final-reply', 'close@final-reply', '250'] },
      { onPossiblyDelivered: 'report' },
    );
    await queue.submit(mailTo('one@a.test'));
    await queue.submit(mailTo('two@a.test'));
    await queue.runDue();
    await pass(10_000);
    assert.deepEqual(await queue.runDue(), [], 'held mail is never due');
    assert.equal(ofType(events, 'held').length, 2);
    assert.equal((await queue.counters()).held, 2);
    const { entries } = await queue.show({ status: 'held' });
    assert.equal(entries.length, 2);
    assert.deepEqual(await queue.release({ id: entries[0]?.id ?? '' }), { entries: 1, recipients: 1, inFlight: 0 });
    assert.deepEqual(statuses(await queue.runDue()), ['delivered']);
    assert.deepEqual(await queue.remove({ status: 'held' }), { entries: 1, recipients: 1, inFlight: 0 });
    assert.deepEqual(await waiting(queue), []);
  }),

  queueCase('the same id again is the same message, also after its end', async ({ open }) => {
    const { queue, transport } = await open();
    await queue.submit(mailTo('one@a.test'), { id: 'invoice-1' });
    await queue.submit(mailTo('one@a.test'), { id: 'invoice-1' });
    await queue.runDue();
    assert.deepEqual(await queue.submit(mailTo('one@a.test'), { id: 'invoice-1' }), { id: 'invoice-1' });
    await queue.runDue();
    assert.equal(transport.trace.length, 1);
  }),

  queueCase('wrong use and messages over the limit are refused, and nothing is stored', async ({ open }) => {
    const { queue } = await open({}, { maxMessageBytes: 1000 });
    await rejects(() => queue.submit(mailTo()), 'RouteConfigError');
    await rejects(() => queue.submit(mailTo('one@a.test'), { profile: { maxRetries: -1 } }), 'RouteConfigError');
    const large = { ...mailTo('one@a.test'), message: 'x'.repeat(1001) };
    await rejects(() => queue.submit(large), 'MessageTooLargeError');
    await rejects(() => queue.remove({}), 'RouteConfigError');
    await rejects(() => queue.redirect('all', 'no-such-relay'), 'RouteConfigError');
    assert.deepEqual(await waiting(queue), []);
  }),

  queueCase('an address that is none is rejected without holding up the others', async ({ open }) => {
    const { queue } = await open({}, { bounces: 'event' });
    await queue.submit(mailTo('no address', 'one@a.test'));
    assert.deepEqual(statuses(await queue.runDue()), ['delivered', 'rejected']);
    assert.deepEqual(await waiting(queue), []);
  }),

  queueCase('a suspended domain waits until it is resumed', async ({ open }) => {
    const { queue, transport } = await open();
    assert.deepEqual(await queue.suspend('A.test'), { domain: 'a.test', suspended: true, changed: true });
    await queue.submit(mailTo('one@a.test', 'two@b.test'));
    await queue.runDue();
    assert.deepEqual(await waiting(queue), ['one@a.test']);
    const { outcome } = await queue.submit(mailTo('three@a.test'), { wait: 'first-attempt' });
    assert.deepEqual(
      outcome?.recipients.map(({ status }) => status),
      ['queue-for-later'],
    );
    assert.equal((await queue.hostStatus('a.test')).suspended, true);
    await queue.resume('a.test');
    await queue.runDue();
    assert.deepEqual(await waiting(queue), []);
    assert.equal(transport.trace.length, 3);
  }),

  queueCase('everything can be suspended', async ({ open }) => {
    const { queue } = await open();
    assert.deepEqual(await queue.suspend(), { suspended: true, changed: true });
    await queue.submit(mailTo('one@a.test'));
    assert.deepEqual(await queue.runDue(), []);
    assert.equal((await queue.counters()).suspended, true);
    await queue.resume();
    assert.deepEqual(statuses(await queue.runDue()), ['delivered']);
  }),

  queueCase(
    'waiting mail is delivered now, removed, bounced and redirected by domain, id and sender',
    async ({ open, pass }) => {
      const { queue, transport, events } = await open(
        { a: '450@rcpt later', b: '450@rcpt later' },
        { bounces: 'event' },
      );
      await queue.submit(mailTo('one@a.test', 'one@b.test'), { id: 'first' });
      await queue.submit(mailTo('two@a.test'), { id: 'second' });
      await queue.submit(
        { envelope: { from: 'other@example.net', to: ['three@b.test'] }, message: MESSAGE },
        { id: 'third' },
      );
      await queue.runDue();
      const did = { entries: 1, recipients: 1, inFlight: 0 };
      assert.deepEqual(await queue.deliverNow({ id: 'second' }), did);
      assert.deepEqual(
        (await queue.runDue()).map(({ id }) => id),
        ['second'],
      );
      const [second] = (await queue.show({ id: 'second' })).entries;
      assert.equal(second?.retries, 1, 'an attempt by hand is one on top');
      assert.deepEqual(await queue.remove({ from: 'other@example.net' }), did);
      assert.deepEqual(await queue.bounce({ domain: 'b.test' }), did);
      assert.deepEqual(
        ofType(events, 'bounced').map(({ id }) => id),
        ['first'],
      );
      assert.deepEqual(await queue.redirect('all', 'elsewhere'), { entries: 2, recipients: 2, inFlight: 0 });
      await pass(RETRY_MS);
      assert.deepEqual(statuses(await queue.runDue()), ['delivered', 'delivered']);
      assert.deepEqual(
        transport.trace.slice(-2).map(({ relay }) => relay),
        ['elsewhere', 'elsewhere'],
      );
      const { removed, hardBounces, active } = await queue.counters();
      assert.deepEqual({ removed, other: hardBounces.other, active }, { removed: 1, other: 1, active: 0 });
    },
  ),

  queueCase('shows the queue a page at a time, oldest first', async ({ open }) => {
    const { queue } = await open();
    const ids = Array.from({ length: 7 }, (_, i) => `message-${String(i)}`);
    for (const [i, id] of ids.entries()) await queue.submit(mailTo(`one@${i % 2 === 0 ? 'a' : 'b'}.test`), { id });
    const pages: string[][] = [];
    for (let after: string | undefined = '0'; after !== undefined;) {
      const page: Awaited<ReturnType<DeliveryQueue['show']>> = await queue.show({ limit: 3, after });
      pages.push(page.entries.map(({ id }) => id));
      after = page.next;
    }
    assert.deepEqual(pages.flat(), ids);
    assert.ok(pages.every(({ length }) => length <= 3));
    const { entries } = await queue.show({ domain: 'b.test' });
    assert.deepEqual(
      entries.map(({ id }) => id),
      ['message-1', 'message-3', 'message-5'],
    );
    const which: Which = { olderThanMs: 3_600_000 };
    assert.deepEqual((await queue.show(which)).entries, []);
  }),

  queueCase('tells of domains', async ({ open }) => {
    const { queue } = await open({ a: '421@greeting busy' });
    await queue.submit(mailTo('one@a.test', 'two@a.test', 'three@b.test'));
    assert.equal((await queue.hostStatus('a.test')).state, 'unknown');
    await queue.runDue();
    const { state, active, softBounces, lastFailure, nextAttemptAt } = await queue.hostStatus('a.test');
    assert.deepEqual({ state, active, softBounces }, { state: 'down', active: 2, softBounces: 2 });
    assert.equal(lastFailure?.kind, 'reply');
    assert.equal(typeof nextAttemptAt, 'number');
    assert.deepEqual(
      (await queue.topHosts()).map(({ domain }) => domain),
      ['a.test'],
    );
    assert.deepEqual(
      (await queue.topHosts({ by: 'delivered' })).map(({ domain }) => domain),
      ['b.test'],
    );
    assert.equal((await queue.hostStatus('b.test')).state, 'up');
  }),

  queueCase('a long message arrives as it was, from bytes and from a stream', async ({ open }) => {
    const { queue, transport } = await open();
    const body = Buffer.from(`Subject: long\r\n\r\n${'0123456789abcde\r\n'.repeat(50_000)}`);
    await queue.submit({ ...mailTo('one@a.test'), message: body });
    const { Readable } = await import('node:stream');
    const message = { open: () => Readable.from([body.subarray(0, 100_001), body.subarray(100_001)]) };
    await queue.submit({ ...mailTo('two@a.test'), message });
    await queue.runDue();
    assert.equal(transport.trace.length, 2);
    for (const send of transport.trace) assert.ok(send.body?.equals(body), 'the same bytes');
  }),

  queueCase('once started it delivers by itself, and one domain cannot occupy the workers', async ({ open }) => {
    const { queue, transport } = await open({ a: 'stall@mail' }, { concurrency: 4, perDomain: 2 });
    queue.start();
    for (let i = 0; i < 6; i++) await queue.submit(mailTo(`user${String(i)}@a.test`));
    await until(() => transport.busy('a') === 2, 'two to the slow domain');
    for (let i = 0; i < 6; i++) await queue.submit(mailTo(`user${String(i)}@b.test`));
    await until(async () => (await queue.counters()).delivered === 6, 'the other domain is served');
    assert.equal(transport.busy('a'), 2);
    while ((await queue.counters()).delivered < 12) {
      transport.release();
      await new Promise((resolve) => setImmediate(resolve));
      await until(async () => transport.busy('a') > 0 || (await queue.counters()).active === 0, 'the next ones');
    }
  }),

  queueCase('close takes nothing more, and waits for what is in flight', async ({ open }) => {
    const { queue, transport } = await open({ a: 'stall@mail' });
    queue.start();
    await queue.submit(mailTo('one@a.test'));
    await until(() => transport.busy('a') === 1, 'an attempt under way');
    let closed = false;
    const closing = queue.close().then(() => (closed = true));
    await rejects(() => queue.submit(mailTo('two@a.test')), 'Error');
    assert.equal(closed, false);
    await until(() => transport.release() > 0, 'the attempt waits for the server');
    await closing;
  }),

  queueCase('another queue on the same mail goes on with it', async ({ open, pass, durable }) => {
    if (!durable) return;
    const first = await open({ a: '450@rcpt later', b: '250' });
    await first.queue.submit(mailTo('one@a.test', 'two@b.test'), { id: 'kept' });
    await first.queue.runDue();
    await first.queue.suspend('a.test');
    await first.queue.close();
    const second = await open({ a: '250' });
    const [entry] = (await second.queue.show()).entries;
    assert.deepEqual([entry?.id, entry?.retries, entry?.recipients[0]?.attempts], ['kept', 1, 1]);
    await pass(RETRY_MS);
    assert.deepEqual(await second.queue.runDue(), [], 'a suspension survives');
    await second.queue.resume('a.test');
    assert.deepEqual(statuses(await second.queue.runDue()), ['delivered']);
    assert.equal((await second.queue.counters()).delivered, 2);
  }),
];
