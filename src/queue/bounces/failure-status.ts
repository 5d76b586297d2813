/**
 * A failure as delivery status notifications name it: the enhanced status code (RFC 3463), and the
 * server's words.
 */
import type { Failure, SmtpReply } from '../../core/failure.js';
import { replyText } from '../../core/reply.js';

/** Subject and detail where no server gave a code. */
const UNREPLIED: Readonly<Record<Exclude<Failure['kind'], 'reply' | 'lost' | 'unsupported'>, string>> = {
  unroutable: '1.2',
  aborted: '4.0',
  expired: '4.7',
};

const UNSUPPORTED: Readonly<Record<'SMTPUTF8' | 'SIZE' | 'REQUIRETLS', string>> = {
  SMTPUTF8: '6.7',
  SIZE: '3.4',
  // RFC 8689 4.2.
  REQUIRETLS: '7.30',
};

/**
 * The status of a recipient. Its class is what became of the message, whatever the last server
 * said: mail that is given up after many a 4xx has failed for good.
 */
export function statusOf(failure: Failure, kind: 'failed' | 'delayed'): string {
  return `${kind === 'failed' ? '5' : '4'}.${subjectAndDetail(failure)}`;
}

function subjectAndDetail(failure: Failure): string {
  const known = failure.enhanced ?? (failure.kind === 'reply' ? failure.reply.enhanced : undefined);
  if (known !== undefined && /^\d\.\d{1,3}\.\d{1,3}$/.test(known)) return known.slice(2);
  switch (failure.kind) {
    case 'reply':
      return '0.0';
    case 'lost':
      return failure.phase === 'connect' ? '4.1' : '4.2';
    case 'unsupported':
      return UNSUPPORTED[failure.need];
    default:
      return UNREPLIED[failure.kind];
  }
}

/** What lies behind the end of a schedule or of a delivery: the last answer, if there was one. */
export function rootOf(failure: Failure): Failure {
  return 'last' in failure ? rootOf(failure.last) : failure;
}

/** The message may have been taken: the connection was lost between the final dot and its answer. */
export function mayHaveArrived(failure: Failure): boolean {
  const root = rootOf(failure);
  return root.kind === 'lost' && root.phase === 'final-reply';
}

/** A server's reply with its codes, lines joined by blanks. */
export function replyOnOneLine(reply: SmtpReply): string {
  return replyText({ ...reply, text: reply.text.split('\n').filter(Boolean).join(' ') });
}
