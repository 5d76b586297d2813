/**
 * Of the queue contract: what becomes of a message.
 */
import assert from 'node:assert/strict';
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

export const queueDelivers: readonly ContractCase<QueueSetting>[] = [
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
    await queue.suspend('c.test');
    const mail = mailTo('zero@c.test', 'one@a.test', 'two@b.test', 'three@a.test', 'one@a.test');
    const { id, outcome } = await queue.submit(mail, { wait: 'first-attempt' });
    assert.equal(outcome?.id, id);
    assert.deepEqual(
      outcome.recipients.map(({ recipient, status }) => [recipient, status]),
      [
        ['zero@c.test', 'queue-for-later'],
        ['one@a.test', 'delivered'],
        ['two@b.test', 'queue-for-later'],
        ['three@a.test', 'delivered'],
      ],
      'in the order of the envelope',
    );
    assert.deepEqual(await waiting(queue), ['two@b.test', 'zero@c.test']);
  }),

  queueCase('what the envelope asks for holds for each attempt', async ({ open, pass }) => {
    const { queue, transport } = await open({ a: ['450@rcpt later', '250'] });
    const asked = {
      dsn: { ret: 'HDRS', envid: 'job-7', notify: ['FAILURE'] },
      use8BitMime: true,
      requireTLSExtensionEnabled: true,
    };
    const { envelope, message } = mailTo('one@a.test');
    await queue.submit({ envelope: { ...envelope, ...asked }, message });
    await queue.runDue();
    await pass(RETRY_MS);
    await queue.runDue();
    assert.deepEqual(
      transport.trace.map((send) => send.envelope),
      [1, 2].map(() => ({ ...envelope, ...asked })),
    );
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

  queueCase('a bounce goes out in the run that made it, though time went by', async ({ open, pass }) => {
    const { queue, transport } = await open({ a: [['stall@mail', '550@rcpt 5.1.1 no such user']] });
    await queue.submit(mailTo('one@a.test'));
    const run = queue.runDue();
    await until(() => transport.busy('a') === 1, 'an attempt under way');
    await pass(20);
    await until(() => transport.release() > 0, 'the attempt waits for the server');
    assert.deepEqual(statuses(await run), ['delivered', 'rejected']);
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
    const profile = { maxQueueTimeMs: 900 };
    await queue.submit(mailTo('one@a.test'), { profile });
    await queue.submit(mailTo('two@a.test'), { profile });
    await queue.runDue();
    // Longer than any wait, and than the whole schedule.
    await pass(1_000);
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
];
