/**
 * A connection's end as a failure: with the system's own code where there is one, because
 * `ECONNREFUSED` tells an operator more than nodemailer's `ESOCKET`.
 */
import { getSystemErrorName } from 'node:util';
import type { LostFailure, Phase } from '../core/failure.js';
import { printable } from '../core/reply.js';
import type { MailError } from './smtp-connection.js';

export function lostFailure(phase: Phase, error: MailError): LostFailure {
  return { kind: 'lost', phase, code: systemCode(error), message: printable(error.message) };
}

function systemCode({ code = 'ECONNECTION', originalCode, errno }: MailError): string {
  if (originalCode !== undefined) return originalCode;
  // nodemailer 8 and 9 overwrite the code, but leave the number.
  if (code === 'ESOCKET' && typeof errno === 'number' && errno < 0) return getSystemErrorName(errno);
  return code;
}
