/**
 * Of the queue contract: what whoever hands a message in may do with it afterwards, and what it
 * means to stop waiting.
 */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import type { ContractCase } from './contract.js';
import { mailTo, queueCase, RETRY_MS, statuses, until, waiting, type QueueSetting } from './queue-stage.js';

const REASON = new Error('waited long enough');

export const queueTakesOver: readonly ContractCase<QueueSetting>[] = [
  queueCase('what was handed in is the app’s again once submit has resolved', async ({ open }) => {
    const { queue, transport } = await open();
    queue.start();
    const original = `Subject: original\r\n\r\n${'0123456789abcde\r\n'.repeat(20_000)}`;
    let content = original;
    const source = { open: (): Readable => Readable.from([Buffer.from(content)]) };
    const bytes = Buffer.from('Subject: original\r\n\r\n');
    await Promise.all([
      queue.submit({ ...mailTo('source@a.test'), message: source }).then(() => (content = 'overwritten')),
      queue.submit({ ...mailTo('bytes@b.test'), message: bytes }).then(() => bytes.fill('x')),
    ]);
    await until(async () => (await queue.counters()).delivered === 2, 'both delivered');
    const sent = new Map(transport.trace.map(({ recipients, body }) => [recipients[0], body?.toString('latin1')]));
    assert.equal(sent.get('source@a.test'), original);
    assert.equal(sent.get('bytes@b.test'), 'Subject: original\r\n\r\n');
  }),

  queueCase('a message to thousands of domains goes out, and comes back', async ({ open, pass }) => {
    const { queue } = await open({ smarthost: ['450@mail later', '250'] });
    const to = Array.from({ length: 4_500 }, (_, i) => `user@domain${String(i)}.test`);
    await queue.submit(mailTo(...to));
    assert.equal((await queue.counters()).active, 4_500);
    await queue.runDue();
    await pass(RETRY_MS);
    await queue.runDue();
    assert.equal((await queue.counters()).active, 0);
  }),

  queueCase('an abort after the message is stored ends the waiting alone', async ({ open }) => {
    const { queue, transport } = await open({ a: ['stall@mail', '250'] });
    const waitingOver = new AbortController();
    const message = { open: (): Readable => Readable.from([Buffer.from('Subject: x\r\n\r\n')]) };
    const { signal } = waitingOver;
    const submitted = queue.submit({ ...mailTo('one@a.test'), message }, { wait: 'first-attempt', signal });
    await until(() => transport.busy('a') === 1, 'an attempt under way');
    waitingOver.abort(REASON);
    const { id, outcome } = await submitted;
    assert.equal(outcome, undefined);
    assert.equal((await queue.show()).entries[0]?.id, id);
    await until(() => transport.release() > 0, 'the attempt goes on');
    await until(async () => (await queue.counters()).delivered === 1, 'and delivers');
    assert.equal(transport.trace.length, 1);
  }),

  queueCase('an abort while the message is read ends that, and nothing is stored', async ({ open }) => {
    const { queue } = await open();
    const waitingOver = new AbortController();
    let stalled: Readable | undefined;
    const message = { open: (): Readable => (stalled = new Readable({ read: () => undefined })) };
    const submitted = queue.submit({ ...mailTo('one@a.test'), message }, { signal: waitingOver.signal });
    await until(() => stalled !== undefined, 'the message is read');
    waitingOver.abort(REASON);
    await assert.rejects(submitted, REASON);
    assert.equal(stalled?.destroyed, true);
    assert.deepEqual(await waiting(queue), []);
    await queue.close();
  }),

  queueCase('who waits for the first attempt waits for a place in its domain’s share', async ({ open }) => {
    const { queue, transport } = await open({ a: 'stall@mail' }, { concurrency: 4, perDomain: 2 });
    const submit = (to: string): ReturnType<typeof queue.submit> => queue.submit(mailTo(to), { wait: 'first-attempt' });
    const slow = Array.from({ length: 5 }, (_, i) => submit(`user${String(i)}@a.test`));
    await until(() => transport.busy('a') === 2, 'two to the slow domain');
    const { outcome } = await submit('user@b.test');
    assert.deepEqual(statuses(outcome ? [outcome] : []), ['delivered']);
    assert.equal(transport.busy('a'), 2);
    let ended = 0;
    for (const one of slow) void one.then(() => ended++);
    await until(() => {
      transport.release();
      return ended === slow.length;
    }, 'each gets its turn');
  }),

  queueCase('who waits for the first attempt hears of what is tried again as such', async ({ open }) => {
    const { queue } = await open({ a: 'close@final-reply' });
    const { outcome } = await queue.submit(mailTo('one@a.test'), { wait: 'first-attempt' });
    assert.deepEqual(statuses(outcome ? [outcome] : []), ['queue-for-later']);
    const [entry] = (await queue.show()).entries;
    const [result] = outcome?.recipients ?? [];
    assert.equal(result?.status === 'queue-for-later' ? result.retryAt : undefined, entry?.nextAttemptAt);
  }),
];
