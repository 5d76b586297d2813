/**
 * A relay that is a transport of the app's own: called as nodemailer would call it, and believed no
 * further than it tells. Of nodemailer's SMTP transports the body stream tells how far a message
 * got; of any other, an error without a reply code may stand for a delivered message.
 */
import type { TransportVia } from '../core/relay.js';
import type { AbortReason, RecipientReport, SendRequest } from '../delivery/relay-transport.js';
import { abortError } from './abort-error.js';
import type { NodemailerTransport, NodemailerTransporter } from './nodemailer-mail.js';
import type { MailError } from './smtp-connection.js';
import { inTime } from './in-time.js';
import { attemptOver, WrappedBodies } from './wrapped-bodies.js';
import { wrappedMail } from './wrapped-mail.js';
import { failedReports, neverCalledReports, sentReports, type WrappedEnd } from './wrapped-reports.js';

type WrappedRequest = Pick<SendRequest, 'envelope' | 'message' | 'signal'>;

/** Always resolves, except while the app's transport does not settle and nobody ends the attempt. */
export async function sendWrapped(
  { transport }: TransportVia,
  request: WrappedRequest,
): Promise<readonly RecipientReport[]> {
  const target = targetOf(transport);
  const bodies = new WrappedBodies(request.message, request.envelope);
  const controller = new AbortController();
  const { signal } = controller;
  const recipients = request.envelope.to;
  try {
    const mail = await inTime(wrappedMail(request, bodies, { signal, streams: streams(target) }), request);
    const end: WrappedEnd = { recipients, bodies, smtp: isSmtp(target) };
    return await settled(end, request.signal, controller, (done) => {
      call(target, mail, done);
    });
  } catch (error) {
    return neverCalledReports(error, recipients);
  }
}

/**
 * The first of: the callback, a promise that settles, a throw, the end of the signal. It is judged in
 * that very turn, since nodemailer 8 and 9 read on after an error; and from then on a message that
 * was not taken cannot be read any more, so that a pool cannot send it after all.
 */
function settled(
  end: WrappedEnd,
  signal: AbortSignal,
  controller: AbortController,
  send: (done: (error: unknown, info?: unknown) => void) => void,
): Promise<readonly RecipientReport[]> {
  return new Promise((resolve) => {
    let over = false;
    let limit: AbortSignal | undefined;
    const stop = (error: unknown, info?: unknown): void => {
      if (over) return;
      over = true;
      signal.removeEventListener('abort', onAbort);
      limit?.removeEventListener('abort', onLimit);
      resolve(error ? failedReports(error, end) : sentReports(info, end));
    };
    const giveUp = (by: AbortSignal): void => {
      end.bodies.seal(attemptOver());
      stop(abortError(by));
      controller.abort(by.reason);
    };
    const onLimit = (): void => {
      if (limit) giveUp(limit);
    };
    const onAbort = (): void => {
      if (abortError(signal).code === 'ETIMEDOUT' || (end.smtp && !end.bodies.ended)) {
        giveUp(signal);
        return;
      }
      // The message may be under way: the truth is worth the wait, and a transport that can may stop by itself.
      if (!end.smtp) controller.abort(signal.reason);
      ({ limit } = signal.reason as AbortReason);
      limit?.addEventListener('abort', onLimit);
    };
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) giveUp(signal);
    else send(stop);
  });
}

function call(target: Target, mail: object, done: (error: unknown, info?: unknown) => void): void {
  try {
    const returned =
      'send' in target
        ? target.send(mail, (error, info) => {
            done(error, info);
          })
        : target.sendMail(mail);
    if (typeof (returned as PromiseLike<unknown> | null | undefined)?.then !== 'function') return;
    (returned as PromiseLike<unknown>).then(
      (info) => {
        // One that answers by its callback may be an async function, which says nothing here.
        if (info !== undefined || !('send' in target)) done(null, info ?? {});
      },
      (error: unknown) => {
        done(error ?? new Error('rejected'));
      },
    );
  } catch (error) {
    done(error ?? new Error('thrown'));
  }
}

type Target = NodemailerTransport | (NodemailerTransporter & { readonly send?: never });

/** The transport in a transporter; a transporter without one is asked to send a finished message. */
function targetOf(given: object): Target {
  const { send, transporter } = given as Partial<NodemailerTransport & NodemailerTransporter>;
  if (typeof send === 'function') return given as NodemailerTransport;
  return typeof transporter?.send === 'function'
    ? transporter
    : { sendMail: (data) => (given as NodemailerTransporter).sendMail(rawMail(data)) };
}

/** For `sendMail`: the bytes, and the envelope they go to. */
function rawMail(mail: object): object {
  const { data, message } = mail as {
    data: { envelope: object; signal: unknown };
    message: { createReadStream(): unknown };
  };
  return { envelope: data.envelope, raw: message.createReadStream(), signal: data.signal };
}

/** nodemailer's own that read the stream and nothing else: all but JSON. Others may be called so too, hence `raw` is there for all. */
const STREAMING: readonly unknown[] = ['SMTP', 'SMTP (pool)', 'Sendmail', 'StreamTransport', 'SESTransport'];

/** Those that only have `sendMail` are given a stream, too. */
function streams(target: Target): boolean {
  return !('send' in target) || STREAMING.includes((target as NodemailerTransport).name);
}

/** nodemailer's own, by the name they carry and what others that call themselves so lack. */
function isSmtp(target: Target): boolean {
  const { name, getSocket } = target as { readonly name?: unknown; readonly getSocket?: unknown };
  return (name === 'SMTP' || name === 'SMTP (pool)') && typeof getSocket === 'function';
}

/** Asks the transport's own `verify`, if it has one. @throws {Error} what that says */
export async function verifyWrapped({ transport }: TransportVia): Promise<void> {
  const verify = (transport as { verify?: (callback: (error: MailError | null) => void) => unknown }).verify;
  if (typeof verify !== 'function') return;
  await new Promise<void>((resolve, reject) => {
    const returned = verify.call(transport, (error) => {
      if (error) reject(error);
      else resolve();
    });
    if (returned === false) resolve();
    else if (returned instanceof Promise) returned.then(() => resolve(), reject);
  });
}
