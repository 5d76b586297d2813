/**
 * What can go wrong with a recipient, as plain JSON-safe data. The phase says how far the attempt
 * got, because that alone decides whether a server may already hold a copy of the message.
 */

/**
 * How far an attempt got:
 * `connect` (DNS, TCP, greeting), `session` (EHLO, STARTTLS, AUTH), `envelope` (MAIL, RCPT, the
 * DATA command), `data` (body not finished), `final-reply` (the final dot may have left).
 */
export type Phase = 'connect' | 'session' | 'envelope' | 'data' | 'final-reply';

/** A server's reply: `code` 200–599, the enhanced status code (RFC 3463) where it carries one, and its text. */
export interface SmtpReply {
  readonly code: number;
  readonly enhanced?: string;
  readonly text: string;
}

/** A reply that is not success, or one out of place. */
export interface ReplyFailure {
  readonly kind: 'reply';
  readonly phase: Phase;
  readonly reply: SmtpReply;
  /** What was refused, where the phase does not say it: `MAIL FROM`, `DATA` (not `RCPT TO`), `EHLO`, `STARTTLS`, `AUTH PLAIN`. */
  readonly command?: string;
  readonly enhanced?: string;
}

/** No usable reply: refused, reset, closed, timed out, DNS, TLS, or unreadable (`EPROTOCOL`). */
export interface LostFailure {
  readonly kind: 'lost';
  readonly phase: Phase;
  /** A system or nodemailer error code: `ECONNREFUSED`, `ETIMEDOUT`, `EPROTOCOL`… */
  readonly code: string;
  readonly message: string;
  /** What it was lost at, where that is known: `STARTTLS`, `AUTH XOAUTH2`. */
  readonly command?: string;
  readonly enhanced?: string;
}

/** Nothing was tried, or trying was ended from outside: no route, the caller's abort, a limit. */
export interface UntriedFailure {
  readonly kind: 'unroutable' | 'aborted' | 'expired';
  readonly message: string;
  readonly enhanced?: string;
  /** What the last attempt answered, if there was one. */
  readonly last?: Failure;
}

/** The relay lacks an extension without which this message must not be sent there (RFC 6531 3.2, RFC 1870, RFC 8689). */
export interface UnsupportedFailure {
  readonly kind: 'unsupported';
  readonly need: 'SMTPUTF8' | 'SIZE' | 'REQUIRETLS';
  readonly message: string;
  readonly enhanced?: string;
}

export type Failure = ReplyFailure | LostFailure | UntriedFailure | UnsupportedFailure;

/** All phases, in the order of an attempt. */
export const PHASES: readonly Phase[] = Object.freeze(['connect', 'session', 'envelope', 'data', 'final-reply']);

/** Of several phases, the one furthest along. */
export function furthest(phases: readonly Phase[]): Phase {
  return phases.reduce((far, phase) => (PHASES.indexOf(phase) > PHASES.indexOf(far) ? phase : far), 'connect');
}
