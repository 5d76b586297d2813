/**
 * A failure in the words of nodemailer's errors, so that an app that reads `code`, `responseCode`
 * and `response` today goes on to do so.
 */
import { USUAL_COMMAND } from '../core/failed-command.js';
import type { Failure, Phase } from '../core/failure.js';
import { replyText } from '../core/reply.js';

/** The fields that nodemailer sets on an error about a message. */
export interface NodemailerErrorFields {
  readonly code: string;
  readonly command: string;
  /** nodemailer 10: the system's code, such as `ECONNREFUSED`. */
  readonly originalCode?: string;
  readonly responseCode?: number;
  readonly response?: string;
}

/** Codes that nodemailer itself uses where no server answered. */
const NODEMAILER_CODES: ReadonlySet<string> = new Set([
  'EAUTH',
  'ECONNECTION',
  'EDNS',
  'ENOAUTH',
  'EOAUTH2',
  'EPROTOCOL',
  'EPROXY',
  'ESOCKET',
  'ETIMEDOUT',
  'ETLS',
]);
const DNS_CODES: ReadonlySet<string> = new Set(['EAI_AGAIN', 'ENODATA', 'ENOTFOUND', 'ESERVFAIL']);

export function nodemailerFields(failure: Failure): NodemailerErrorFields {
  switch (failure.kind) {
    case 'reply': {
      const { phase, reply, command = USUAL_COMMAND[phase] } = failure;
      return { code: codeOfRefusal(phase, command), command, responseCode: reply.code, response: replyText(reply) };
    }
    case 'lost': {
      const { command = 'CONN' } = failure;
      return { command, ...codesOfLoss(failure.code, command) };
    }
    case 'unsupported':
      return { code: UNSUPPORTED[failure.need], command: 'MAIL FROM' };
    case 'unroutable':
      return { code: 'EENVELOPE', command: 'API' };
    case 'aborted':
    case 'expired': {
      const code = failure.kind === 'aborted' ? 'EABORT' : 'ETIMEDOUT';
      return { ...(failure.last && nodemailerFields(failure.last)), code, command: 'API' };
    }
    default:
      return failure satisfies never;
  }
}

function codeOfRefusal(phase: Phase, command: string): string {
  if (phase === 'envelope') return 'EENVELOPE';
  if (phase === 'data' || phase === 'final-reply') return 'EMESSAGE';
  if (isAuth(command)) return 'EAUTH';
  return command === 'STARTTLS' ? 'ETLS' : command === 'EHLO' ? 'ECONNECTION' : 'EPROTOCOL';
}

function isAuth(command: string): boolean {
  return command.startsWith('AUTH ');
}

/** What nodemailer says before the reply where another command than RCPT was refused. */
export function saidOfRefusal(failure: Failure): string | undefined {
  return failure.kind === 'reply' ? SAID_OF_REFUSAL[failure.command ?? ''] : undefined;
}

const SAID_OF_REFUSAL: Readonly<Record<string, string>> = {
  'MAIL FROM': 'Mail command failed: ',
  DATA: 'Data command failed: ',
};

const UNSUPPORTED = { SIZE: 'EMESSAGE', SMTPUTF8: 'EENVELOPE', REQUIRETLS: 'EREQUIRETLS' } as const;

function codesOfLoss(code: string, command: string): { readonly code: string; readonly originalCode?: string } {
  if (isAuth(command) && code !== 'EAUTH') return { code: 'EAUTH', originalCode: code };
  if (NODEMAILER_CODES.has(code)) return { code };
  return { code: DNS_CODES.has(code) ? 'EDNS' : 'ESOCKET', originalCode: code };
}

/** The same fields of an error that has them, as nodemailer's and ours have: none that are absent. */
export function fieldsOfError(error: object | undefined): Partial<NodemailerErrorFields> {
  return fieldsThere<NodemailerErrorFields>(error, FIELDS);
}

const FIELDS = ['code', 'command', 'originalCode', 'responseCode', 'response'] as const;

/** Those of the named fields that an error has. */
export function fieldsThere<Fields>(error: unknown, names: readonly (keyof Fields & string)[]): Partial<Fields> {
  const given = Object(error) as Partial<Fields>;
  const there = names.filter((name) => given[name] !== undefined).map((name) => [name, given[name]]);
  return Object.fromEntries(there) as Partial<Fields>;
}

/** What a failure says, for an error message. */
export function sayFailure(failure: Failure): string {
  if (failure.kind === 'reply') return replyText(failure.reply);
  const last = 'last' in failure ? `; before that: ${sayFailure(failure.last)}` : '';
  return failure.message + last;
}
