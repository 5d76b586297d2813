/**
 * What a failure means for the recipients it concerns. This is the only file that knows the
 * meaning of SMTP reply codes.
 *
 * Scope comes before class: only a reply to MAIL, RCPT, DATA or the final dot is about the mail. A
 * 5xx greeting, EHLO, STARTTLS or AUTH reply speaks of the relay alone; bouncing on it would lose
 * mail that the next relay takes.
 */
import type { Failure, Phase } from './failure.js';

/**
 * `next-relay`: try the recipient elsewhere at once. `reject`: final for the recipient. `stop`: a
 * copy may already be there, so no other relay in this delivery. `cool`: the relay itself is at
 * fault and goes behind the others for a while.
 */
export interface Verdict {
  readonly action: 'next-relay' | 'reject' | 'stop';
  readonly cool: boolean;
}

/** What the hook knows beside the failure. One before the envelope is about the relay alone and carries no `recipient`. */
export interface FailurePlace {
  readonly relay: string;
  readonly recipient?: string;
}

/** The user's hook: sees the failure and the built-in verdict, and answers the verdict that holds. */
export type ClassifyHook = (failure: Failure, verdict: Verdict, at: FailurePlace) => Verdict;

const NEXT: Verdict = Object.freeze({ action: 'next-relay', cool: false });
const NEXT_COOL: Verdict = Object.freeze({ action: 'next-relay', cool: true });
const REJECT: Verdict = Object.freeze({ action: 'reject', cool: false });
const STOP: Verdict = Object.freeze({ action: 'stop', cool: false });
const STOP_COOL: Verdict = Object.freeze({ action: 'stop', cool: true });

/** The kinds of result that the table tells apart. */
export type ResultClass = '421' | '4xx' | '5xx' | 'out-of-place' | 'lost';

type Row = Readonly<Record<ResultClass, Verdict>>;

const row = (verdicts: Row): Row => Object.freeze(verdicts);

/** The verdict table: phase by class of result. */
export const VERDICTS: Readonly<Record<Phase, Row>> = Object.freeze({
  connect: row({ '421': NEXT_COOL, '4xx': NEXT_COOL, '5xx': NEXT_COOL, 'out-of-place': NEXT_COOL, lost: NEXT_COOL }),
  session: row({ '421': NEXT_COOL, '4xx': NEXT_COOL, '5xx': NEXT_COOL, 'out-of-place': NEXT_COOL, lost: NEXT_COOL }),
  envelope: row({ '421': NEXT_COOL, '4xx': NEXT, '5xx': REJECT, 'out-of-place': NEXT_COOL, lost: NEXT_COOL }),
  data: row({ '421': NEXT_COOL, '4xx': NEXT, '5xx': REJECT, 'out-of-place': NEXT_COOL, lost: NEXT_COOL }),
  'final-reply': row({ '421': NEXT_COOL, '4xx': NEXT, '5xx': REJECT, 'out-of-place': NEXT_COOL, lost: STOP_COOL }),
});

/**
 * Codes that speak of the session wherever they stand: 503 (bad sequence), and the authentication
 * codes 530, 534, 535, 538 (RFC 4954 6, RFC 3207 4). An expired password must not bounce mail.
 */
const RELAY_CODES: ReadonlySet<number> = new Set([503, 530, 534, 535, 538]);

function resultClass(code: number): ResultClass {
  if (code === 421) return '421';
  if (RELAY_CODES.has(code)) return 'out-of-place';
  if (code >= 400 && code <= 499) return '4xx';
  if (code >= 500 && code <= 599) return '5xx';
  return 'out-of-place';
}

/** A refusal that RFC 5321 4.2.1 lets a reply express: 400 to 599. Anything else in a refusal's place cannot be trusted. */
export function isRefusalCode(code: number): boolean {
  return code >= 400 && code <= 599;
}

/** A completed command (RFC 5321 4.2.1): 2yz. */
export function isSuccessCode(code: number): boolean {
  return code >= 200 && code <= 299;
}

/** The server announces that it closes the connection (RFC 5321 3.8). */
export function isClosingCode(code: number): boolean {
  return code === 421;
}

/** The built-in verdict on a failure. Pure; the table is `VERDICTS`. */
export function classify(failure: Failure): Verdict {
  switch (failure.kind) {
    case 'lost':
      return VERDICTS[failure.phase].lost;
    case 'reply': {
      const result = resultClass(failure.reply.code);
      // To the dot only 4yz and 5yz are refusals (RFC 5321 4.2.5): after anything else the server may hold the message.
      if (failure.phase === 'final-reply' && !isRefusalCode(failure.reply.code)) return STOP_COOL;
      return VERDICTS[failure.phase][result];
    }
    case 'unsupported':
      return NEXT;
    case 'unroutable':
      return REJECT;
    case 'aborted':
    case 'expired':
      return STOP;
    default:
      return failure satisfies never;
  }
}

/**
 * Whether a RCPT reply says "too many recipients" rather than anything of this one: 452 or 552
 * without an enhanced code, or with x.5.3. Holds only if the same transaction accepted another
 * recipient (RFC 5321 4.5.3.1.10), which the caller must know.
 */
export function isTooManyRecipients(failure: Failure): boolean {
  if (failure.kind !== 'reply' || failure.phase !== 'envelope') return false;
  const { code, enhanced } = failure.reply;
  return (code === 452 || code === 552) && (enhanced === undefined || /^[45]\.5\.3$/.test(enhanced));
}

/**
 * The verdict on "too many recipients" where the rest of the transaction then failed: no refusal,
 * not even as 552, which RFC 5321 4.5.3.1.10 wants read as temporary.
 */
export const TOO_MANY_RECIPIENTS: Verdict = NEXT;
