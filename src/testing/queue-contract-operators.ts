/**
 * Of the queue contract: what operators see and do.
 */
import assert from 'node:assert/strict';
import type { DeliveryQueue, Which } from '../queue/delivery-queue.js';
import type { ContractCase } from './contract.js';
import {
  mailTo,
  MESSAGE,
  ofType,
  queueCase,
  rejects,
  RETRY_MS,
  statuses,
  until,
  waiting,
  type QueueSetting,
} from './queue-stage.js';

export const queueObeys: readonly ContractCase<QueueSetting>[] = [
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

  queueCase('mail is redirected to a relay or to the way of a domain, and nowhere else', async ({ open }) => {
    const { queue, transport } = await open();
    await queue.submit(mailTo('one@a.test'));
    for (const to of [
      null,
      7,
      [],
      {},
      { relayId: 'b' },
      { relay: 'b', domain: 'b.test' },
      { relay: '' },
      { domain: '' },
    ]) {
      await rejects(() => queue.redirect('all', to as string), 'RouteConfigError');
    }
    await queue.redirect('all', { domain: 'B.test' });
    const [entry] = (await queue.show()).entries;
    assert.deepEqual(entry?.via, { domain: 'b.test' });
    await queue.runDue();
    assert.deepEqual(
      transport.trace.map(({ relay }) => relay),
      ['b'],
    );
  }),

  queueCase('a verb ends at what was there when it was called, however much that is', async ({ open }) => {
    const { queue, events } = await open();
    // More than one step of a verb goes through.
    const submits = (domain: string, count: number): Promise<unknown> =>
      Promise.all(Array.from({ length: count }, (_, i) => queue.submit(mailTo(`user${String(i)}@${domain}`))));
    await submits('a.test', 501);
    assert.deepEqual(await queue.bounce('all'), { entries: 501, recipients: 501, inFlight: 0 });
    assert.equal(ofType(events, 'bounced').length, 501);
    assert.deepEqual(new Set(await waiting(queue)), new Set(['sender@example.net']), 'the bounces are not bounced');
    assert.equal((await queue.remove('all')).entries, 501);

    await submits('a.test', 1001);
    const removing = queue.remove('all');
    await until(async () => (await queue.counters()).active < 1001, 'it has begun');
    await submits('b.test', 20);
    assert.equal((await removing).entries, 1001);
    assert.equal((await queue.counters()).active, 20, 'what came after the call stays');
  }),

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

  queueCase('the oldest message of a domain is the oldest that waits', async ({ open, pass }) => {
    const { queue } = await open({ a: ['close@final-reply', '450@rcpt later'] }, { onPossiblyDelivered: 'report' });
    await queue.submit(mailTo('held@a.test'));
    await queue.runDue();
    assert.equal((await queue.hostStatus('a.test')).held, 1);
    assert.equal((await queue.hostStatus('a.test')).oldestAt, undefined, 'held mail does not wait');
    await pass(20);
    await queue.submit(mailTo('one@a.test', 'two@a.test'), { id: 'waits' });
    const [entry] = (await queue.show({ id: 'waits' })).entries;
    assert.equal((await queue.hostStatus('a.test')).oldestAt, entry?.arrivalAt);
    await queue.runDue();
    assert.equal((await queue.hostStatus('a.test')).oldestAt, entry?.arrivalAt, 'for a retry too');
    assert.equal((await queue.topHosts()).find(({ domain }) => domain === 'a.test')?.oldestAt, entry?.arrivalAt);
    await queue.release('all');
    const { oldestAt = NaN } = await queue.hostStatus('a.test');
    assert.ok(oldestAt < (entry?.arrivalAt ?? 0), 'what is released waits');
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
];
