/**
 * `RoutedTransport` with a queue behind it: when the app hears of success, and of what.
 */
import { buffer } from 'node:stream/consumers';
import { createTransport } from 'nodemailer';
import type { Deliverer, DeliveryOutcome, Mail, MailQueue, Submission, SubmitOptions } from 'smtp-routes';
import { RoutedTransport } from 'smtp-routes/nodemailer';
import { describe, expect, it } from 'vitest';
import { MAIL, refusal, withRouted } from './routed.js';

/** A queue in memory: it keeps a copy of what it is given, and delivers what is due when it is told. */
class ArrayQueue implements MailQueue {
  readonly waiting = new Map<string, Mail>();
  readonly submitted: (SubmitOptions | undefined)[] = [];
  closed = 0;
  readonly #deliverer: Deliverer;

  constructor(deliverer: Deliverer) {
    this.#deliverer = deliverer;
  }

  async submit(mail: Mail, options?: SubmitOptions): Promise<Submission> {
    this.submitted.push(options);
    const { message } = mail;
    const bytes = typeof message === 'object' && 'open' in message ? await buffer(message.open()) : message;
    const id = `q${String(this.submitted.length)}`;
    this.waiting.set(id, { ...mail, message: bytes });
    const outcome = await this.attempt(id);
    return options?.wait === 'first-attempt' ? { id, outcome } : { id };
  }

  async attempt(id: string): Promise<DeliveryOutcome> {
    const mail = this.waiting.get(id)!;
    const outcome = await this.#deliverer.deliver(mail);
    const to = outcome.recipients
      .filter(({ status }) => status === 'queue-for-later')
      .map(({ recipient }) => recipient);
    if (to.length === 0) this.waiting.delete(id);
    else this.waiting.set(id, { ...mail, envelope: { ...mail.envelope, to } });
    return outcome;
  }

  close(): Promise<void> {
    this.closed++;
    return Promise.resolve();
  }
}

function makeQueue(): { queue: (deliverer: Deliverer) => ArrayQueue; made: () => ArrayQueue } {
  let one: ArrayQueue | undefined;
  return { queue: (deliverer) => (one = new ArrayQueue(deliverer)), made: () => one! };
}

describe('with a queue', () => {
  it('resolves with what the first attempt gave', async () => {
    const { queue, made } = makeQueue();
    await withRouted({ options: { queue } }, async ({ transporter }) => {
      const info = await transporter.sendMail(MAIL);
      expect(info).toMatchObject({ accepted: ['user@example.com'], pending: [], queueId: 'q1' });
      expect(info.outcome.recipients[0]).toMatchObject({ status: 'delivered' });
      expect(made().submitted).toEqual([{ wait: 'first-attempt' }]);
    });
    expect(made().closed).toBe(1);
  });

  it('resolves for what is safely queued, which is pending and not rejected; it is delivered later', async () => {
    const { queue, made } = makeQueue();
    const busy = { script: ['450@rcpt busy', '250'] };
    const options = { queue, spoolAboveBytes: 10 };
    await withRouted({ first: busy, second: busy, options }, async ({ transporter, first }) => {
      const info = await transporter.sendMail(MAIL);
      expect(info).toMatchObject({
        accepted: [],
        rejected: [],
        pending: ['user@example.com'],
        queueId: 'q1',
        response: 'queued as q1',
      });
      expect(info).not.toHaveProperty('rejectedErrors');
      await made().attempt('q1');
      expect(first.messages[0]!.data.length).toBe(info.messageSize);
      expect(made().waiting.size).toBe(0);
    });
  });

  it('tells each recipient apart', async () => {
    const { queue } = makeQueue();
    const script = ['450@rcpt(busy@example.com)', '550@rcpt(no@example.com) 5.1.1 no'];
    const all = { script: [script, script, script, script] };
    await withRouted({ first: all, second: all, options: { queue } }, async ({ transporter }) => {
      const to = ['user@example.com', 'busy@example.com', 'no@example.com'];
      const info = await transporter.sendMail({ ...MAIL, to });
      expect(info).toMatchObject({ accepted: [to[0]], pending: [to[1]], rejected: [to[2]] });
      expect(info.rejectedErrors).toHaveLength(1);
    });
  });

  it('rejects when every recipient was refused for good', async () => {
    const { queue } = makeQueue();
    await withRouted({ first: { script: '550@rcpt 5.1.1 no' }, options: { queue } }, async ({ transporter }) => {
      expect(await refusal(transporter.sendMail(MAIL))).toMatchObject({
        code: 'EENVELOPE',
        responseCode: 550,
        queueId: 'q1',
      });
    });
  });

  it('rejects when nobody knows whether it arrived and nobody tries again', async () => {
    const { queue } = makeQueue();
    await withRouted({ first: { script: 'close@final-reply' }, options: { queue } }, async ({ transporter }) => {
      expect(await refusal(transporter.sendMail(MAIL))).toMatchObject({ code: 'EUNCERTAIN' });
    });
  });

  it('rejects when the message was not stored', async () => {
    const queue: MailQueue = {
      submit: () => Promise.reject(Object.assign(new Error('disk full'), { code: 'ENOSPC' })),
    };
    const transport = new RoutedTransport({ queue });
    const error = await refusal(createTransport(transport).sendMail(MAIL));
    expect(error).toMatchObject({ code: 'EQUEUE', originalCode: 'ENOSPC', message: 'disk full' });
    await expect(createTransport(transport).verify()).rejects.toMatchObject({ code: 'ECONFIG' });
  });

  it('takes a queue that does not wait: all are pending', async () => {
    const transport = new RoutedTransport({ queue: { submit: () => Promise.resolve({ id: 'x' }) } });
    const info = await createTransport(transport).sendMail(MAIL);
    expect(info).toMatchObject({ accepted: [], rejected: [], pending: ['user@example.com'], queueId: 'x' });
  });
});
