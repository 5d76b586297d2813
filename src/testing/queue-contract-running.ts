/**
 * Of the queue contract: a queue that runs by itself, ends, and goes on elsewhere.
 */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import type { ContractCase } from './contract.js';
import { mailTo, queueCase, rejects, RETRY_MS, statuses, until, type QueueSetting } from './queue-stage.js';

export const queueRuns: readonly ContractCase<QueueSetting>[] = [
  queueCase('a long message arrives as it was, from bytes and from a stream', async ({ open }) => {
    const { queue, transport } = await open();
    const body = Buffer.from(`Subject: long\r\n\r\n${'0123456789abcde\r\n'.repeat(50_000)}`);
    await queue.submit({ ...mailTo('one@a.test'), message: body });
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

  queueCase('a closed queue takes no orders', async ({ open }) => {
    const { queue } = await open();
    await queue.close();
    const orders: readonly (() => Promise<unknown>)[] = [
      () => queue.submit(mailTo('one@a.test')),
      () => queue.runDue(),
      () => queue.deliverNow(),
      () => queue.remove('all'),
      () => queue.bounce('all'),
      () => queue.release('all'),
      () => queue.redirect('all', 'elsewhere'),
      () => queue.suspend(),
      () => queue.suspend('a.test'),
      () => queue.resume(),
      () => queue.resume('a.test'),
    ];
    for (const order of orders) await assert.rejects(order, /\(\) was called after close\(\)$/);
    await queue.close();
  }),

  queueCase('close ends a run: what it has not begun stays in the queue', async ({ open }) => {
    const { queue, transport } = await open({ a: 'stall@mail' }, { perDomain: 1 });
    await queue.submit(mailTo('one@a.test'));
    await queue.submit(mailTo('two@a.test'));
    const run = queue.runDue();
    await until(() => transport.busy('a') === 1, 'an attempt under way');
    const closing = queue.close();
    await until(() => transport.release() > 0, 'the attempt waits for the server');
    assert.deepEqual(statuses(await run), ['delivered']);
    await closing;
    assert.equal(transport.trace.length, 1);
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
