/**
 * Routes for an app that has nodemailer already: what `createTransport` takes in place of
 * `{ host, port }`. It renders each message once, has it delivered or queued, and answers as
 * nodemailer's SMTP transport does.
 */
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { Failure } from '../core/failure.js';
import type { DeliveryOutcome } from '../core/outcome.js';
import type { RelayReport } from '../delivery/deliverer.js';
import { logTrouble } from '../delivery/debug-log.js';
import type { Envelope } from '../delivery/relay-transport.js';
import type { GetSocket } from '../core/relay.js';
import type { AppMailer } from './app-side.js';
import { composedFrom } from './composed-mail.js';
import { mailEnvelope } from './mail-envelope.js';
import { messageInfo, type RoutedMessageInfo } from './message-info.js';
import { appSideOf } from './nodemailer-transport.js';
import { fieldsOfError, sayFailure } from './nodemailer-error.js';
import type { MailData, NodemailerMail, SendCallback } from './nodemailer-mail.js';
import { renderMessage, type RenderedMessage } from './render-message.js';
import { routedServices, type RoutedServices, type RoutedTransportOptions } from './routed-transport-options.js';
import { hasStreamParts, hasWrappedRelay, readStreamParts } from './stream-parts.js';
import { unsentError } from './unsent-error.js';

/** Emits `idle` when it can take more messages, and `close`. */
export class RoutedTransport extends EventEmitter {
  readonly name = 'smtp-routes';
  readonly version = '0.1.0';
  /** For nodemailer 10.5 and later: `signal` ends the send itself. 8 and 9 honour it through us. */
  readonly supportsAbortSignal = true;
  readonly #services: RoutedServices;
  #underWay = 0;
  #idling = true;
  #closing: Promise<void> | undefined;

  /** @throws {RouteConfigError} for unknown or wrong options, all at once */
  constructor(options: RoutedTransportOptions) {
    super();
    this.#services = routedServices(options);
    // As nodemailer's pool: the app waits for it to begin.
    setImmediate(() => {
      if (this.#idling && !this.#closing) this.emit('idle');
    });
  }

  /** Called by nodemailer's Mail. `callback` is called once. */
  send(mail: NodemailerMail, callback: (error: Error | null, info: RoutedMessageInfo) => void): void {
    this.#underWay++;
    if (!this.isIdle()) this.#idling = false;
    const settled = (error: Error | null, info?: RoutedMessageInfo): void => {
      this.#underWay--;
      try {
        // An error comes alone, whatever the types of nodemailer's callbacks say.
        (callback as SendCallback<RoutedMessageInfo>)(error, info);
      } catch (thrown) {
        // As nodemailer's own transports: what the app's callback throws is not about the message.
        logTrouble(thrown);
      }
      this.#announceIdle();
    };
    this.#send(mail).then(
      (info) => {
        settled(null, info);
      },
      (error: unknown) => {
        settled(error as Error);
      },
    );
  }

  async #send(mail: NodemailerMail): Promise<RoutedMessageInfo> {
    const { envelope, shown } = mailEnvelope(mail);
    const startedAt = Date.now();
    const signal = this.#admit(mail, envelope);
    const rendered = await this.#render(mail, envelope, signal);
    try {
      const { outcome, queueId } = await this.#handOver(mail, envelope, rendered, signal);
      return messageInfo(outcome, {
        envelope: shown,
        messageId: mail.message.messageId(),
        size: rendered.size,
        startedAt,
        endedAt: Date.now(),
        queueId,
        signal,
      });
    } finally {
      rendered.release().catch(logTrouble);
    }
  }

  /** The message's signal, if it has one. @throws {RoutedMailError} if the message cannot even be rendered */
  #admit({ data }: NodemailerMail, { to }: Envelope): AbortSignal | undefined {
    if (this.#closing) throw unsentError('ECONNECTION', new Error('The transport was closed'), to);
    if (to.length === 0) throw unsentError('EENVELOPE', new Error('No recipients defined'), to);
    const given = (data as MailData).signal ?? undefined;
    if (given === undefined) return undefined;
    const signal = given as AbortSignal;
    if (typeof signal.aborted !== 'boolean' || typeof signal.addEventListener !== 'function') {
      throw unsentError('ECONFIG', new Error('The signal option must be an AbortSignal'), to);
    }
    if (signal.aborted) throw unsentError('EABORT', signal.reason, to);
    return signal;
  }

  async #render(mail: NodemailerMail, { to }: Envelope, signal: AbortSignal | undefined): Promise<RenderedMessage> {
    try {
      const { deliverer, limitMs } = this.#services;
      if (deliverer && hasWrappedRelay(deliverer.routes) && hasStreamParts(mail)) {
        await readStreamParts(mail, { signal, limitMs });
      }
      return await renderMessage(mail.message, { ...this.#services, signal });
    } catch (error) {
      throw signal?.aborted ? unsentError('EABORT', signal.reason, to) : unsentError('ESTREAM', error, to);
    }
  }

  async #handOver(
    mail: NodemailerMail,
    envelope: Envelope,
    { message }: RenderedMessage,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly outcome: DeliveryOutcome; readonly queueId?: string }> {
    const { deliverer, queue } = this.#services;
    // A queue that is given ready may deliver through anything. A stream that is still among the parts has been read by now.
    const mayWrap = !deliverer || hasWrappedRelay(deliverer.routes);
    if (mayWrap && !hasStreamParts(mail)) composedFrom.set(message, mail);
    try {
      if (queue) {
        const { id, outcome } = await queue.submit(
          { envelope, message },
          { wait: 'first-attempt', ...(signal && { signal }) },
        );
        return { queueId: id, outcome: outcome ?? notWaitedFor(id, envelope) };
      }
      if (!deliverer) throw new TypeError('neither a deliverer nor a queue');
      return { outcome: await deliverer.deliver({ envelope, message }, signal && { signal }) };
    } catch (error) {
      throw unsentError(signal?.aborted ? 'EABORT' : queue ? 'EQUEUE' : 'ECONNECTION', error, envelope.to);
    }
  }

  /**
   * Tries every relay, sending nothing: connects and logs in, or asks a wrapped transport.
   *
   * @throws {Error} if any cannot be used, naming each and why; a callback gets it in place of a rejection
   */
  verify(): Promise<true>;
  verify(callback: (error: Error | null, success: true) => void): void;
  verify(callback?: (error: Error | null, success: true) => void): Promise<true> | undefined {
    const verified = this.#verify();
    if (!callback) return verified;
    verified.then(
      () => {
        callback(null, true);
      },
      (error: unknown) => {
        (callback as (error: Error) => void)(error as Error);
      },
    );
    return undefined;
  }

  async #verify(): Promise<true> {
    const { deliverer } = this.#services;
    if (this.#closing) throw Object.assign(new Error('The transport was closed'), { code: 'ECONNECTION' });
    if (!deliverer) {
      throw Object.assign(new Error('verify() needs routes, or a deliverer beside the queue'), { code: 'ECONFIG' });
    }
    const broken = await deliverer.check();
    if (broken.size === 0) return true;
    const told = [...broken].map(([relay, error]) => `${relay}: ${whyUnusable(error)}`);
    const [first] = broken.values();
    throw Object.assign(new Error(`relays that cannot be used: ${told.join('; ')}`, { cause: first }), {
      code: 'ECONNECTION',
      ...fieldsOfError(first),
      relays: [...broken.keys()],
    });
  }

  /** Whether fewer sends are under way than `idleBelow`. */
  isIdle(): boolean {
    return this.#underWay < this.#services.idleBelow;
  }

  /** Of each relay: `up`, `down` or `unknown`, since when, why, until when. */
  health(): Record<string, RelayReport> {
    return this.#services.deliverer?.health() ?? {};
  }

  /**
   * Takes nothing more, waits for what is under way, 30 s at most (`force`: not at all), and closes
   * what was made here: not a deliverer, a queue or a wrapped transport that the app brought.
   */
  close({ force = false }: { readonly force?: boolean } = {}): Promise<void> {
    this.#closing ??= this.#services.close(force ? { timeoutMs: 0 } : {}).finally(() => {
      this.emit('close');
    });
    // nodemailer's `close()` returns nothing, so nobody may be waiting.
    this.#closing.catch(logTrouble);
    return this.#closing;
  }

  /** nodemailer's way to bring sockets of one's own, as `setupProxy` does: for relays without a proxy. */
  get getSocket(): GetSocket<Socket> | undefined {
    return appSideOf(this.#services.transport)?.getSocket as GetSocket<Socket> | undefined;
  }

  set getSocket(getSocket: GetSocket<Socket> | undefined) {
    const side = appSideOf(this.#services.transport);
    if (side) side.getSocket = getSocket;
  }

  /** The transporter, which sets itself: relays with OAuth2 ask it for tokens and tell it of new ones. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- each major of nodemailer has a type of its own for it
  set mailer(mailer: any) {
    const side = appSideOf(this.#services.transport);
    if (side) side.mailer = mailer as AppMailer;
  }

  #announceIdle(): void {
    if (this.#idling || !this.isIdle()) return;
    this.#idling = true;
    this.emit('idle');
  }
}

/** A relay of ours has failed as one fails to deliver; a wrapped transport says what it likes. */
function whyUnusable({ message, cause }: Error): string {
  const failure = cause as Failure | undefined;
  return failure?.kind === undefined ? message : sayFailure(failure);
}

/** A queue has the message and did not wait for an attempt. */
function notWaitedFor(id: string, { to }: Envelope): DeliveryOutcome {
  const failure = { kind: 'aborted', message: 'queued; no attempt was waited for' } as const;
  const recipients = [...new Set(to)].map((recipient) => ({
    recipient,
    status: 'queue-for-later' as const,
    failure,
    retryAt: Date.now(),
  }));
  return { id, recipients, attempts: [] };
}
