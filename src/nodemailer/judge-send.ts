/**
 * What the end of a send means for each recipient, and whether the connection can be used again.
 *
 * The rule rests on one fact: nodemailer writes the final dot only after the body stream has ended.
 * So as long as the stream had not ended when the first sign of trouble came, and the connection is
 * destroyed in that same turn, the message cannot have been accepted. Pure: it is given what was
 * seen at that moment.
 */
import { isClosingCode, isRefusalCode } from '../core/classify.js';
import { failedCommand, USUAL_COMMAND } from '../core/failed-command.js';
import type { Failure, Phase } from '../core/failure.js';
import { parseReply, printable } from '../core/reply.js';
import { unreadableMessage } from '../core/unreadable-message.js';
import type { RecipientReport } from '../delivery/relay-transport.js';
import { lostFailure } from './lost-failure.js';
import type { BodyProgress } from './message-body.js';
import type { MailError, RecipientError } from './smtp-connection.js';

/** What was seen at the first sign that the send is over. */
export interface SendEnd {
  readonly recipients: readonly string[];
  /** The final reply; with `error`, absent. */
  readonly response?: string | undefined;
  readonly error?: MailError | undefined;
  /** RCPT refusals: from the error or the result, else from the envelope object that nodemailer fills in. */
  readonly rejectedErrors: readonly RecipientError[];
  readonly body: BodyProgress;
  /** Octets written to the socket since the body was begun; undefined if it was not. */
  readonly written: number | undefined;
  /** Whether anything was heard from the server since the body had ended. */
  readonly answered: boolean;
}

/** `keep`: usable at once. `reset`: after RSET. `drop`: must be destroyed now. */
export type ConnectionFate = 'keep' | 'reset' | 'drop';

export interface Judgement {
  readonly reports: readonly RecipientReport[];
  readonly fate: ConnectionFate;
}

export function judgeSend(end: SendEnd): Judgement {
  const { reports, fate } = end.error ? judgeError(end, end.error) : judgeSuccess(end);
  // nodemailer 8 and 9 leave a connection open after a 421 to one RCPT of several.
  const closing = end.rejectedErrors.some(({ responseCode = 0 }) => isClosingCode(responseCode));
  return { reports, fate: closing ? 'drop' : fate };
}

function judgeSuccess(end: SendEnd): Judgement {
  const phase = sentPhase(end);
  if (saidTooEarly(end)) return { reports: failed(end, TOO_EARLY), fate: 'drop' };
  const reply = parseReply(end.response ?? '');
  // nodemailer looks at the first digit only: `2nd try` is a success to it, and `250000` too.
  if (!reply)
    return { reports: failed(end, unreadable(phase, `unreadable reply: ${end.response ?? ''}`)), fate: 'drop' };
  if (phase === 'data') {
    // A 250 that came before the message was over answers nothing: the server is out of step.
    return { reports: failed(end, { kind: 'reply', phase, reply }), fate: 'drop' };
  }
  return { reports: perRecipient(end, (recipient) => ({ recipient, reply })), fate: 'keep' };
}

function judgeError(end: SendEnd, error: MailError): Judgement {
  switch (error.code) {
    case 'EENVELOPE':
      return judgeEnvelope(end, error);
    case 'EMESSAGE':
      return judgeMessage(end, error);
    case 'EREQUIRETLS':
      return refusedLocally(end, {
        kind: 'unsupported',
        need: 'REQUIRETLS',
        enhanced: '5.7.30',
        message: printable(error.message),
      });
    case 'EABORT':
      return { reports: failed(end, { kind: 'aborted', message: error.message }), fate: 'drop' };
    case 'ESTREAM':
      return { reports: failed(end, unreadableMessage(error.message)), fate: 'drop' };
    default:
      return { reports: failed(end, connectionFailure(end, error)), fate: 'drop' };
  }
}

function judgeEnvelope(end: SendEnd, error: MailError): Judgement {
  if (error.response === undefined) {
    // Without a reply nodemailer itself refused: an address or a DSN parameter it cannot send.
    return refusedLocally(end, { kind: 'unroutable', enhanced: '5.5.4', message: printable(error.message) });
  }
  const failure = replyFailure('envelope', error);
  const fate = leavesInStep(failure) ? (error.command === 'MAIL FROM' ? 'keep' : 'reset') : 'drop';
  return { reports: failed(end, failure), fate };
}

function judgeMessage(end: SendEnd, error: MailError): Judgement {
  const { command, message } = error;
  if (command === 'MAIL FROM' || command === 'API') {
    return refusedLocally(end, { kind: 'unsupported', need: 'SIZE', enhanced: '5.3.4', message: printable(message) });
  }
  const phase = sentPhase(end);
  if (saidTooEarly(end)) return { reports: failed(end, TOO_EARLY), fate: 'drop' };
  const failure = replyFailure(phase, error);
  // An answer before the end of the message: without the kill the rest would follow, and be accepted.
  return { reports: failed(end, failure), fate: phase === 'final-reply' && leavesInStep(failure) ? 'keep' : 'drop' };
}

/** How far a message has got that the server answers: only after its end does the answer mean the dot. */
function sentPhase({ body }: SendEnd): 'data' | 'final-reply' {
  return body.ended ? 'final-reply' : 'data';
}

/** What was said before the end of the message cannot mean it: the server's real answer to the dot is still to come. */
function saidTooEarly({ body, answered }: SendEnd): boolean {
  return body.ended && !answered;
}

const TOO_EARLY: Failure = {
  kind: 'lost',
  phase: 'final-reply',
  code: 'EPROTOCOL',
  message: 'the server answered before it had the message, so nobody knows what it did with it',
};

/** A proper refusal, after which both sides know where they stand; a 421 closes the connection. */
function leavesInStep(failure: Failure): boolean {
  return failure.kind === 'reply' && isRefusalCode(failure.reply.code) && !isClosingCode(failure.reply.code);
}

/** The connection failed. Its reply code is not read: it may be the beginning of a cut-off line. */
function connectionFailure({ body, written }: SendEnd, error: MailError): Failure {
  if (!body.began) {
    // nodemailer 10 answers a pipelined RCPT's 421 so. It is a reply, and means the same as the loss.
    const closing = error.code === 'ECONNECTION' && isClosingCode(error.responseCode ?? 0);
    return closing ? replyFailure('envelope', error) : lostFailure('envelope', error);
  }
  if (!body.ended) return lostFailure('data', error);
  // Body and dot take at least three octets more than the body: fewer written, and the dot never left.
  const dotLeft = written === undefined || written >= body.produced + 3;
  return lostFailure(dotLeft ? 'final-reply' : 'data', error);
}

/** The code that nodemailer reads is not used: it takes any number for one, and a cut-off line for a reply. */
function replyFailure(phase: Phase, { response = '', message, command }: MailError): Failure {
  const reply = parseReply(response);
  return reply
    ? { kind: 'reply', phase, reply, ...failedCommand(command, USUAL_COMMAND[phase]) }
    : unreadable(phase, message);
}

function unreadable(phase: Phase, message: string): Failure {
  return { kind: 'lost', phase, code: 'EPROTOCOL', message: printable(message) };
}

/** Nothing was sent, and the connection is as it was. */
function refusedLocally(end: SendEnd, failure: Failure): Judgement {
  return { reports: end.recipients.map((recipient) => ({ recipient, failure })), fate: 'keep' };
}

/** The common failure for all but those whose RCPT had its own answer. */
function failed(end: SendEnd, failure: Failure): RecipientReport[] {
  return perRecipient(end, (recipient) => ({ recipient, failure }));
}

function perRecipient(end: SendEnd, common: (recipient: string) => RecipientReport): RecipientReport[] {
  if (end.rejectedErrors.length === 0 || refusedMail(end)) return end.recipients.map(common);
  const own = new Map(end.rejectedErrors.map((error) => [error.recipient, error]));
  return end.recipients.map((recipient) => {
    const error = own.get(recipient);
    return error ? { recipient, failure: replyFailure('envelope', recipientError(error)) } : common(recipient);
  });
}

/** After a refused MAIL, the 503s to the RCPTs pipelined behind it say nothing. */
function refusedMail({ error }: SendEnd): boolean {
  return error?.code === 'EENVELOPE' && error.command === 'MAIL FROM';
}

function recipientError(error: RecipientError): MailError {
  return { name: 'Error', message: 'unreadable answer to RCPT', ...error };
}

/** A reused connection that gave no reply, or only the 421 it was closed with, was gone before we used it. */
export function isStale(error: MailError, lastServerResponse: string | false): boolean {
  if (error.code === 'EABORT') return false;
  if (lastServerResponse === false || error.command === 'API') return true;
  return error.command === 'MAIL FROM' && isClosingCode(parseReply(lastServerResponse)?.code ?? 0);
}
