/**
 * One scripted send, from the connection to the final reply: what a faithful client makes of each
 * line of the script. It is apart from the transport because this is where the phases are decided,
 * and a fake that blurs them would hide the very faults it is there to find.
 */
import { Readable } from 'node:stream';
import { isClosingCode } from '../core/classify.js';
import { errorMessage } from '../core/error-message.js';
import type { Failure, Phase, SmtpReply } from '../core/failure.js';
import { parseReply } from '../core/reply.js';
import { unreadableMessage } from '../core/unreadable-message.js';
import type { ConnectionInfo, Message, RecipientReport, SendRequest } from '../delivery/relay-transport.js';
import { formatReply } from './format-reply.js';
import type { Action, Directive, Stage } from './script.js';
import type { ScriptMoment } from './scripted-sessions.js';

/** How far an attempt is while it waits at a stage. */
export const PHASE_OF_STAGE: Readonly<Record<Stage, Phase>> = Object.freeze({
  connect: 'connect',
  greeting: 'connect',
  ehlo: 'session',
  starttls: 'session',
  auth: 'session',
  mail: 'envelope',
  rcpt: 'envelope',
  data: 'envelope',
  body: 'data',
  'final-reply': 'final-reply',
});

/** What an attempt needs of the transport it belongs to. */
export interface ScriptedAttemptContext {
  readonly request: SendRequest;
  readonly connection: ConnectionInfo;
  readonly next: (moment: Omit<ScriptMoment, 'connection' | 'message'>) => Directive | undefined;
  /** The final reply where the script gives none. */
  readonly accepted: SmtpReply;
  /** Waits until released (true) or aborted for a reason that `interrupts` (false). */
  readonly stall: (interrupts: (reason: unknown) => boolean) => Promise<boolean>;
  readonly keepBody: (body: Buffer) => void;
}

/** What one stage came to: a failure, or the reply that lets the attempt go on (none where the script is silent). */
type Step = { readonly failure: Failure } | { readonly failure?: undefined; readonly reply?: SmtpReply };

export class ScriptedAttempt {
  readonly #context: ScriptedAttemptContext;
  /** What each recipient's RCPT was refused with. */
  readonly #refused = new Map<string, Failure>();

  constructor(context: ScriptedAttemptContext) {
    this.#context = context;
  }

  /** Resolves with one report for each recipient. */
  async run(): Promise<readonly RecipientReport[]> {
    const { request, connection, accepted } = this.#context;
    const recipients = request.envelope.to;
    const { onEvent } = request;
    const connected = await this.#step('connect');
    if (connected.failure) return this.#all(connected.failure);
    onEvent?.({ type: 'connection-opened', ...connection });
    const end = await this.#converse();
    onEvent?.({
      type: 'connection-closed',
      connection: connection.connection,
      ...(end.failure && { reason: end.failure.kind }),
    });
    if (end.failure) return this.#all(end.failure);
    const reply = end.reply ?? accepted;
    return recipients.map((recipient) => {
      const failure = this.#refused.get(recipient);
      return failure ? { recipient, failure } : { recipient, reply };
    });
  }

  /** A failure of the batch, except for those who had one of their own before. */
  #all(failure: Failure): readonly RecipientReport[] {
    return this.#context.request.envelope.to.map((recipient) => ({
      recipient,
      failure: this.#refused.get(recipient) ?? failure,
    }));
  }

  /** From the greeting on. Without a failure and without anybody accepted it ends before DATA, all having failures of their own. */
  async #converse(): Promise<Step> {
    const { request, connection } = this.#context;
    for (const stage of ['greeting', 'ehlo', 'starttls', 'auth'] as const) {
      const step = await this.#step(stage);
      if (step.failure) return step;
    }
    request.onEvent?.({ type: 'connection-taken', reused: false, ...connection });
    const mail = await this.#step('mail');
    if (mail.failure) return mail;
    for (const [i, recipient] of request.envelope.to.entries()) {
      const { failure } = await this.#step('rcpt', recipient, i + 1);
      // A 421 says that the connection closes (RFC 5321 3.8): it speaks of everybody whom nothing was said of yet.
      if (failure?.kind === 'reply' && !isClosingCode(failure.reply.code)) this.#refused.set(recipient, failure);
      else if (failure) return { failure };
    }
    if (request.envelope.to.every((recipient) => this.#refused.has(recipient))) return {};
    const data = await this.#step('data');
    if (data.failure) return data;
    return this.#transfer(request.message);
  }

  async #transfer(message: Message): Promise<Step> {
    const source = openMessage(message);
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of source) {
        if (chunks.length === 0) {
          const body = await this.#step('body');
          if (body.failure) return body;
        }
        chunks.push(Buffer.from(chunk as Uint8Array));
      }
    } catch (error) {
      return { failure: unreadableMessage(errorMessage(error)) };
    } finally {
      source.destroy();
    }
    this.#context.keepBody(Buffer.concat(chunks));
    return this.#step('final-reply');
  }

  async #step(stage: Stage, recipient?: string, nth = 1): Promise<Step> {
    const { request, next } = this.#context;
    const line = recipient === undefined ? '' : `RCPT TO:<${recipient}>`;
    const directive = next({ stage, nth, line, ...(recipient !== undefined && { recipient }) });
    const step = await this.#perform(stage, directive?.action);
    // A real client would see an abort wherever it waits; past the dot it goes on to the reply.
    if (!step.failure && stage !== 'final-reply' && request.signal.aborted)
      return { failure: aborted(request.signal.reason) };
    return step;
  }

  async #perform(stage: Stage, action: Action | undefined): Promise<Step> {
    const phase = PHASE_OF_STAGE[stage];
    const lost = (code: string, message: string): Step => ({ failure: { kind: 'lost', phase, code, message } });
    switch (action?.do) {
      case undefined:
        return {};
      case 'reply': {
        const reply = replyOf(action.code, action.text, this.#context.accepted);
        return isExpected(stage, reply.code) ? { reply } : { failure: { kind: 'reply', phase, reply } };
      }
      case 'refuse':
        return lost('ECONNREFUSED', 'connect ECONNREFUSED');
      case 'close':
        return lost('ECONNECTION', 'Connection closed unexpectedly');
      case 'reset':
        return lost('ECONNRESET', 'read ECONNRESET');
      case 'lost':
        return lost(action.code, action.message || `${action.code} at ${stage}`);
      case 'stall': {
        const { stall, request } = this.#context;
        if (await stall((reason) => stage !== 'final-reply' || isTimeout(reason))) return {};
        if (stage === 'final-reply') return lost('ETIMEDOUT', 'no reply to the final dot');
        return { failure: aborted(request.signal.reason) };
      }
      case 'raw':
      case 'flood': {
        const reply = action.do === 'raw' && action.text.endsWith('\r\n') ? parseReply(action.text) : undefined;
        if (!reply) return lost('EPROTOCOL', 'unreadable reply');
        return isExpected(stage, reply.code) ? { reply } : { failure: { kind: 'reply', phase, reply } };
      }
      default:
        return action satisfies never;
    }
  }
}

/** A code alone, without a text, answers as a relay without a script does. */
function replyOf(code: number, text: string, accepted: SmtpReply): SmtpReply {
  if (text === '' && code === accepted.code) return accepted;
  return parseReply(formatReply(code, text || 'scripted')) ?? { code, text };
}

/** Nothing is expected in the body: whatever is said there ends it. A 2xx to DATA stands for 354. */
function isExpected(stage: Stage, code: number): boolean {
  if (stage === 'body') return false;
  return (code >= 200 && code <= 299) || (stage === 'data' && code === 354);
}

/** The report of a send that was given up before the final dot. */
export function aborted(reason: unknown): Failure {
  return { kind: 'aborted', message: reason instanceof Error ? reason.message : String(reason) };
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof Error && reason.name === 'TimeoutError';
}

function openMessage(message: Message): Readable {
  if (typeof message === 'string' || message instanceof Uint8Array)
    return Readable.from([Buffer.from(message as string)]);
  return message.open();
}
