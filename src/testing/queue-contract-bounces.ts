/**
 * Of the queue contract: what the sender is told, and that nothing about it holds up a result.
 */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import type { Mail } from '../delivery/mail.js';
import type { ContractCase } from './contract.js';
import { mailTo, ofType, queueCase, waiting, type QueueSetting } from './queue-stage.js';

const TO_SENDER = { from: '', to: ['sender@example.net'] };
const LIMIT = 1000;

/** What a bounce of the app's own making may come to that cannot be stored, by the id of the message. */
const BROKEN: Readonly<Record<string, () => unknown>> = {
  'answers nothing': () => undefined,
  'has no message': () => ({ envelope: TO_SENDER }),
  'has a message that is none': () => ({ envelope: TO_SENDER, message: 7 }),
  'goes to nobody': () => ({ envelope: { from: '', to: [] }, message: 'x' }),
  'asks for what is no data': () => ({ envelope: { ...TO_SENDER, dsn: { envid: 1n } }, message: 'x' }),
  'is too long': () => ({ envelope: TO_SENDER, message: 'x'.repeat(LIMIT + 1) }),
  'turns out to be too long': () => ({
    envelope: TO_SENDER,
    message: { open: () => Readable.from(['x'.repeat(LIMIT), 'x']) },
  }),
  'cannot be read': () => ({
    envelope: TO_SENDER,
    message: { open: () => new Readable({ read: (): never => fail('the disk is gone') }) },
  }),
  'is never made': () => fail('no such template'),
};

function fail(message: string): never {
  throw new Error(message);
}

export const queueTells: readonly ContractCase<QueueSetting>[] = [
  queueCase('a bounce that cannot be stored does not hold up the result, and the event says why', async ({ open }) => {
    const { queue, transport, events } = await open(
      { a: Object.keys(BROKEN).map(() => '550@rcpt(two@a.test) 5.1.1 no such user') },
      {
        maxMessageBytes: LIMIT,
        // eslint-disable-next-line @typescript-eslint/require-await
        bounces: async ({ id }) => BROKEN[id]?.() as Mail,
      },
    );
    for (const id of Object.keys(BROKEN)) await queue.submit(mailTo('one@a.test', 'two@a.test'), { id });
    await queue.runDue();
    const bounced = ofType(events, 'bounced');
    assert.deepEqual(bounced.map(({ id }) => id).sort(), Object.keys(BROKEN).sort());
    for (const { id, notSent, bounce, reason } of bounced) {
      assert.deepEqual({ id, notSent, bounce }, { id, notSent: 'could-not-be-built', bounce: undefined });
      assert.ok(reason, `says why: ${id}`);
    }
    assert.equal(bounced.find(({ id }) => id === 'is never made')?.reason, 'no such template');
    assert.deepEqual(await waiting(queue), []);
    assert.equal(transport.trace.length, Object.keys(BROKEN).length);
    assert.equal((await queue.counters()).delivered, Object.keys(BROKEN).length);
  }),

  queueCase('a bounce may be a stream, and goes out from the null sender whatever it says', async ({ open }) => {
    let opened = 0;
    const { queue, transport } = await open(
      { a: '550@rcpt 5.1.1 no such user' },
      {
        bounces: () => {
          const message = { open: () => Readable.from([`Subject: ${String(++opened)}\r\n`, '\r\n']) };
          return Promise.resolve({ envelope: { ...TO_SENDER, from: 'loop@example.net' }, message });
        },
      },
    );
    await queue.submit(mailTo('one@a.test'));
    await queue.runDue();
    assert.equal(opened, 1);
    const [, bounce] = transport.trace;
    assert.deepEqual([bounce?.from, bounce?.recipients], ['', ['sender@example.net']]);
    assert.equal(String(bounce?.body), 'Subject: 1\r\n\r\n');
  }),
];
