/**
 * A failure in the words of nodemailer's errors, so that an app that reads `code`, `responseCode`
 * and `response` today goes on to do so.
 */
import type { Failure, SmtpReply } from '../core/failure.js';

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
      return { code, command, responseCode: failure.reply.code, response: responseOf(failure.reply) };
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

/** A reply as one string, as the server gave it: `550 5.1.1 no such user`. */
export function responseOf({ code, enhanced, text }: SmtpReply): string {
  return [String(code), enhanced, text].filter(Boolean).join(' ');
}

/** What a failure says, for an error message. */
export function sayFailure(failure: Failure): string {
  if (failure.kind === 'reply') return responseOf(failure.reply);
  const last = 'last' in failure ? `; before that: ${sayFailure(failure.last)}` : '';
  return failure.message + last;
}
