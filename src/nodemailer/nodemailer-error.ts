/**
 * A failure in the words of nodemailer's errors, so that an app that reads `code`, `responseCode`
 * and `response` today goes on to do so.
 */
import type { Failure } from '../core/failure.js';
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
      const { code, command } = REFUSED_AT[failure.phase];
      return { code, command, responseCode: failure.reply.code, response: replyText(failure.reply) };
    }
    case 'lost':
      return { command: 'CONN', ...codesOfLoss(failure.code) };
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

const REFUSED_AT = {
  connect: { code: 'EPROTOCOL', command: 'CONN' },
  session: { code: 'EPROTOCOL', command: 'CONN' },
  envelope: { code: 'EENVELOPE', command: 'RCPT TO' },
  data: { code: 'EMESSAGE', command: 'DATA' },
  'final-reply': { code: 'EMESSAGE', command: 'DATA' },
} as const;

const UNSUPPORTED = { SIZE: 'EMESSAGE', SMTPUTF8: 'EENVELOPE', REQUIRETLS: 'EREQUIRETLS' } as const;

function codesOfLoss(code: string): { readonly code: string; readonly originalCode?: string } {
  if (NODEMAILER_CODES.has(code)) return { code };
  return { code: DNS_CODES.has(code) ? 'EDNS' : 'ESOCKET', originalCode: code };
}

/** What a failure says, for an error message. */
export function sayFailure(failure: Failure): string {
  if (failure.kind === 'reply') return replyText(failure.reply);
  const last = 'last' in failure ? `; before that: ${sayFailure(failure.last)}` : '';
  return failure.message + last;
}
