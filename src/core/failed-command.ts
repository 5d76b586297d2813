/**
 * The SMTP command that a failure is about. Mostly the phase says it; where it does not, the failure names it.
 */
import type { Phase } from './failure.js';

/** What a reply in a phase answers unless the failure says otherwise; `CONN` is nodemailer's name for the greeting. */
export const USUAL_COMMAND: Readonly<Record<Phase, string>> = Object.freeze({
  connect: 'CONN',
  session: 'CONN',
  envelope: 'RCPT TO',
  data: 'DATA',
  'final-reply': 'DATA',
});

const COMMAND = /^(?:MAIL FROM|RCPT TO|DATA|EHLO|HELO|LHLO|STARTTLS|AUTH [\w-]{1,40})$/;

/** A command to add to a failure, if it is one and not `usual` anyway. */
export function failedCommand(command: unknown, usual: string): { readonly command?: string } {
  return typeof command === 'string' && command !== usual && COMMAND.test(command) ? { command } : {};
}
