/**
 * `RoutedTransport` with a queue behind it: when the app hears of success, and of what.
 */
import { createTransport } from 'nodemailer';
import { Deliverer, defineRoutes, type MailQueue } from 'smtp-routes';
import { nodemailerTransport, RoutedTransport } from 'smtp-routes/nodemailer';
import { memoryQueue } from 'smtp-routes/queue';
import { startSmtpServer } from 'smtp-routes/testing';
import { describe, expect, it } from 'vitest';
import { makeQueue } from './array-queue.js';
import { FINAL_DOT, MAIL, refusal, withRouted } from './routed.js';

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
      expect(first.messages[0]!.data.length).toBe(info.messageSize - FINAL_DOT);
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

  it('keeps what may have arrived, or says that nobody does', async () => {
    const lost = { script: 'close@final-reply' };
    const { queue, made } = makeQueue();
    await withRouted({ first: lost, options: { queue } }, async ({ transporter }) => {
      expect(await transporter.sendMail(MAIL)).toMatchObject({ accepted: [], rejected: [], pending: [MAIL.to] });
      expect(made().waiting.size).toBe(1);
    });
    await withRouted({ first: lost, options: { queue, onPossiblyDelivered: 'report' } }, async ({ transporter }) => {
      expect(await refusal(transporter.sendMail(MAIL))).toMatchObject({ code: 'EUNCERTAIN', queueId: 'q1' });
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

describe('with the library’s own queue', () => {
  it('a signal after the message is stored ends the waiting: it is pending, and comes once', async () => {
    const options = { queue: (deliverer: Deliverer) => memoryQueue({ deliverer }) };
    await withRouted({ first: { script: ['stall@mail', '250'] }, options }, async ({ transporter, first }) => {
      const giveUp = new AbortController();
      const sending = transporter.sendMail({ ...MAIL, signal: giveUp.signal });
      await first.until(({ sessions }) => sessions.some(({ stalled }) => stalled));
      giveUp.abort();
      const info = await sending;
      expect(info).toMatchObject({ accepted: [], rejected: [], pending: ['user@example.com'] });
      expect(info.queueId).toBeTruthy();
      first.release();
      await first.until(({ messages }) => messages.length === 1);
    });
  });

  it('force closes at once, whatever a relay is doing', async () => {
    const options = { queue: (deliverer: Deliverer) => memoryQueue({ deliverer }) };
    await withRouted({ first: { script: 'stall@mail' }, options }, async ({ transporter, transport, first }) => {
      const sending = transporter.sendMail(MAIL);
      await first.until(({ sessions }) => sessions.some(({ stalled }) => stalled));
      await transport.close({ force: true });
      expect(await sending).toMatchObject({ accepted: [], rejected: [], pending: ['user@example.com'] });
    });
  });

  it('what may have arrived is pending, also where the queue is given ready', async () => {
    await using server = await startSmtpServer({ script: 'close@final-reply' });
    const routes = defineRoutes({
      relays: { only: { host: server.host, port: server.port } },
      routes: [{ match: 'ALL', tiers: [['only']] }],
    });
    await using deliverer = new Deliverer({ routes, transport: nodemailerTransport() });
    await using queue = memoryQueue({ deliverer });
    const info = await createTransport(new RoutedTransport({ queue })).sendMail(MAIL);
    expect(info).toMatchObject({ accepted: [], rejected: [], pending: ['user@example.com'] });
    expect((await queue.counters()).active).toBe(1);
  });
});
