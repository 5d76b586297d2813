/**
 * What a wrapped transport's answer means for each recipient.
 */
import { isRefusalCode, isSuccessCode } from '../core/classify.js';
import { errorMessage } from '../core/error-message.js';
import { failureFromError, failuresFromError } from '../core/failure-from-error.js';
import type { Failure } from '../core/failure.js';
import { parseReply, printable } from '../core/reply.js';
import { unreadableMessage } from '../core/unreadable-message.js';
import type { RecipientReport } from '../delivery/relay-transport.js';
import { attemptOver, type WrappedBodies } from './wrapped-bodies.js';

/** What was seen when the transport had answered. */
export interface WrappedEnd {
  readonly recipients: readonly string[];
  readonly bodies: WrappedBodies;
  /** Whether it is one of nodemailer's SMTP transports, which send the body stream and nothing else. */
  readonly smtp: boolean;
}

interface WrappedInfo {
  readonly accepted?: unknown;
  readonly rejected?: unknown;
  readonly rejectedErrors?: unknown;
  readonly response?: unknown;
}

/** A success; for those of its recipients that it says were refused, it is none. */
export function sentReports(answer: unknown, { recipients, bodies, smtp }: WrappedEnd): readonly RecipientReport[] {
  if (smtp && !bodies.ended) {
    bodies.seal(attemptOver());
    const message = 'the transport reported success before the message was read';
    const phase = bodies.began ? 'data' : 'envelope';
    return recipients.map((recipient) => ({ recipient, failure: { kind: 'lost', phase, code: 'EPROTOCOL', message } }));
  }
  const info = (typeof answer === 'object' && answer !== null ? answer : {}) as WrappedInfo;
  const reply = typeof info.response === 'string' ? parseReply(info.response) : undefined;
  const accepting = reply && isSuccessCode(reply.code) ? { reply } : {};
  const accepted = addressesIn(info.accepted);
  const rejected = addressesIn(info.rejected) ?? [];
  const refusals = failuresFromError({ rejectedErrors: info.rejectedErrors }, recipients);
  return recipients.map((recipient, i) => {
    if (rejected.includes(recipient.toLowerCase())) {
      const failure = refusals[i];
      return { recipient, failure: failure?.kind === 'reply' ? failure : REFUSED_WITHOUT_REASON };
    }
    // Without lists, success is everybody's. With them, one who is on none may have got it or not.
    return !accepted || accepted.includes(recipient.toLowerCase())
      ? { recipient, ...accepting }
      : { recipient, failure: NOT_TOLD };
  });
}

const REFUSED_WITHOUT_REASON: Failure = {
  kind: 'lost',
  phase: 'envelope',
  code: 'EENVELOPE',
  message: 'the transport rejected this recipient and does not say why',
};

const NOT_TOLD: Failure = {
  kind: 'lost',
  phase: 'final-reply',
  code: 'EPROTOCOL',
  message: 'the transport neither accepted nor rejected this recipient',
};

/** Lower case; undefined unless it is a list. nodemailer's plugins list strings, also `Name <address>`, or `{ address }`. */
function addressesIn(list: unknown): readonly string[] | undefined {
  if (!Array.isArray(list)) return undefined;
  return list.map((one: unknown) => {
    const address = typeof one === 'string' ? one : (one as { address?: unknown } | null)?.address;
    return typeof address === 'string' ? (IN_BRACKETS.exec(address)?.[1] ?? address).toLowerCase() : '';
  });
}

const IN_BRACKETS = /<([^<>]+)>$/;

export function failedReports(error: unknown, end: WrappedEnd): readonly RecipientReport[] {
  const { recipients, bodies, smtp } = end;
  bodies.seal();
  const told = error as { readonly code?: unknown; readonly rejectedErrors?: unknown } | null;
  const failures = smtp
    ? failuresFromError(withRefusals(error, told?.rejectedErrors ?? bodies.rejectedErrors), recipients)
    : recipients.map(() => failureFromOther(error));
  return recipients.map((recipient, i) => {
    const failure = failures[i] ?? failureFromOther(error);
    return { recipient, failure: smtp ? seenFrom(bodies, failure, told?.code) : failure };
  });
}

/** The attempt ended before the transport was called. */
export function neverCalledReports(error: unknown, recipients: readonly string[]): readonly RecipientReport[] {
  const { code } = Object(error) as { readonly code?: unknown };
  const message = printable(errorMessage(error));
  const failure: Failure =
    code === 'ETIMEDOUT'
      ? { kind: 'lost', phase: 'envelope', code, message }
      : code === 'EABORT'
        ? { kind: 'aborted', message }
        : unreadableMessage(message);
  return recipients.map((recipient) => ({ recipient, failure }));
}

/** nodemailer's error, with what it told of single recipients before. */
function withRefusals(error: unknown, rejectedErrors: unknown): object {
  const { code, originalCode, command, response, responseCode, timeoutType, syscall } = Object(error) as Record<
    string,
    unknown
  >;
  const message = errorMessage(error);
  return { code, originalCode, command, response, responseCode, timeoutType, syscall, message, rejectedErrors };
}

/** The body stream knows better than the error where the message got lost. */
function seenFrom(bodies: WrappedBodies, failure: Failure, code: unknown): Failure {
  if (code === 'EABORT' && !bodies.ended) return { kind: 'aborted', message: 'aborted before the message was over' };
  if (code === 'ESTREAM' && failure.kind === 'lost' && !bodies.ended) return unreadableMessage(failure.message);
  if (failure.kind === 'reply' && failure.phase === 'final-reply' && !bodies.ended)
    return { ...failure, phase: 'data' };
  if (failure.kind !== 'lost' || failure.phase !== 'final-reply' || bodies.ended) return failure;
  return { ...failure, phase: bodies.began ? 'data' : 'envelope' };
}

/** Of a transport that we do not know, only a reply's code says that the message was not taken. */
function failureFromOther(error: unknown): Failure {
  const failure = failureFromError(error);
  if (failure.kind === 'reply') return failure;
  const { code, responseCode, response } = Object(error) as Record<string, unknown>;
  const message = errorMessage(error);
  if (typeof responseCode === 'number' && isRefusalCode(responseCode)) {
    const text = typeof response === 'string' ? printable(response) : message;
    const read = parseReply(text);
    const reply = read?.code === responseCode ? read : { code: responseCode, text };
    return { kind: 'reply', phase: 'final-reply', reply };
  }
  return { kind: 'lost', phase: 'final-reply', code: typeof code === 'string' ? code : 'EUNKNOWN', message };
}
