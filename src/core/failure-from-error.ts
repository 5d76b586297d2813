/**
 * What an error tells that a transport rejected with: the fields that nodemailer sets, read
 * warily. An error that does not say how far the message got may stand for a delivered message.
 */
import { isRefusalCode } from './classify.js';
import { errorMessage } from './error-message.js';
import { failedCommand, USUAL_COMMAND } from './failed-command.js';
import type { Failure, Phase, ReplyFailure } from './failure.js';
import { parseReply, printable } from './reply.js';

/** The fields that nodemailer documents on its errors, and Node on those of system calls. */
interface MailErrorFields {
  readonly code?: unknown;
  readonly originalCode?: unknown;
  readonly command?: unknown;
  readonly response?: unknown;
  readonly responseCode?: unknown;
  readonly timeoutType?: unknown;
  readonly syscall?: unknown;
  readonly rejectedErrors?: unknown;
}

/** Codes that can only come before the first command of a message. */
const BEFORE_THE_MESSAGE: Readonly<Record<string, Phase>> = {
  EDNS: 'connect',
  ENOTFOUND: 'connect',
  EAI_AGAIN: 'connect',
  ECONNREFUSED: 'connect',
  EHOSTUNREACH: 'connect',
  ENETUNREACH: 'connect',
  EPROTOCOL: 'connect',
  ETLS: 'session',
  EAUTH: 'session',
  ENOAUTH: 'session',
  EOAUTH2: 'session',
};

/** System calls that come before a connection stands. nodemailer 8 and 9 overwrite the code of a refusal, but leave this. */
const BEFORE_A_CONNECTION = /^(?:connect|getaddrinfo|query[A-Z]\w*)$/;

/** nodemailer names EHLO and HELO only where the server refused the session. For anything lost later it says CONN. */
const SESSION_COMMAND = /^(?:EHLO|HELO)$/;

/** Timeouts that nodemailer raises before a session exists, by type and, where it has none (8, 9), by message. */
const EARLY_TIMEOUT = /^(CONNECT_TIMEOUT|GREETING_TIMEOUT|UPGRADE_TIMEOUT|Connection timeout|Greeting never received)/;

/** The failure that an error stands for, the same for all recipients that have no error of their own. */
export function failureFromError(error: unknown): Failure {
  return failureOf(fieldsOf(error), errorMessage(error));
}

/**
 * The failure of each recipient, in their order. When all were refused, nodemailer's error has the
 * code of one of them, and in `rejectedErrors` what each was told.
 */
export function failuresFromError(error: unknown, recipients: readonly string[]): readonly Failure[] {
  const common = failureFromError(error);
  const { command, rejectedErrors } = fieldsOf(error);
  // After a refused MAIL, the 503s to the RCPTs that nodemailer 10 pipelines behind it say nothing.
  if (!Array.isArray(rejectedErrors) || command === 'MAIL FROM') return recipients.map(() => common);
  const own = new Map(rejectedErrors.map((one: unknown) => [fieldsOf(one).recipient, one]));
  return recipients.map((recipient) => {
    const rejected = own.get(recipient);
    return rejected === undefined ? common : failureFromError(rejected);
  });
}

function failureOf(fields: MailErrorFields, message: string): Failure {
  const code = typeof fields.code === 'string' ? fields.code : 'EUNKNOWN';
  const reply = refusal(fields);
  const original = typeof fields.originalCode === 'string' ? fields.originalCode : code;
  if (code === 'EENVELOPE') {
    if (reply) return reply;
    // Without an answer the client itself refused the address; with one that is no refusal the dialogue is out of step.
    const answered = typeof fields.responseCode === 'number' || typeof fields.response === 'string';
    return answered ? { kind: 'lost', phase: 'envelope', code: 'EPROTOCOL', message } : { kind: 'unroutable', message };
  }
  if (code === 'EMESSAGE') {
    if (reply) return reply;
    // Refused by nodemailer itself, before MAIL FROM, for the SIZE that the server announced.
    if (fields.command === 'MAIL FROM') return { kind: 'unsupported', need: 'SIZE', message, enhanced: '5.3.4' };
  }
  if (code === 'EREQUIRETLS') return { kind: 'unsupported', need: 'REQUIRETLS', message, enhanced: '5.7.30' };
  const early = earlyPhase(fields, message) ?? BEFORE_THE_MESSAGE[code] ?? BEFORE_THE_MESSAGE[original];
  if (early) {
    const at = failedCommand(fields.command, USUAL_COMMAND[early]);
    return reply ? { ...reply, phase: early, ...at } : { kind: 'lost', phase: early, code: original, message, ...at };
  }
  return { kind: 'lost', phase: 'final-reply', code: original, message };
}

function earlyPhase({ code, command, syscall, timeoutType }: MailErrorFields, message: string): Phase | undefined {
  if (typeof syscall === 'string' && BEFORE_A_CONNECTION.test(syscall)) return 'connect';
  if (typeof command === 'string' && SESSION_COMMAND.test(command)) return 'session';
  const timeout = typeof timeoutType === 'string' ? timeoutType : message;
  return code === 'ETIMEDOUT' && EARLY_TIMEOUT.test(timeout) ? 'connect' : undefined;
}

function refusal(fields: MailErrorFields): ReplyFailure | undefined {
  const { responseCode: code, response } = fields;
  if (typeof code !== 'number' || !isRefusalCode(code)) return undefined;
  const text = typeof response === 'string' ? response : '';
  const read = parseReply(text);
  const reply = read?.code === code ? read : { code, text: printable(text) };
  const phase = fields.code === 'EMESSAGE' ? 'final-reply' : 'envelope';
  return { kind: 'reply', phase, reply, ...failedCommand(fields.command, USUAL_COMMAND[phase]) };
}

/** The fields of an error, read once: what throws when it is looked at tells nothing. */
function fieldsOf(error: unknown): MailErrorFields & { readonly recipient?: unknown } {
  if (typeof error !== 'object' || error === null) return {};
  try {
    const { code, originalCode, command, response, responseCode, timeoutType, syscall, rejectedErrors, recipient } =
      error as MailErrorFields & { readonly recipient?: unknown };
    return { code, originalCode, command, response, responseCode, timeoutType, syscall, rejectedErrors, recipient };
  } catch {
    return {};
  }
}
