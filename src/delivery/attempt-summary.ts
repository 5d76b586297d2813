/**
 * How an attempt went, for the trace: how far it got, and what failed.
 */
import { furthest, type Phase } from '../core/failure.js';
import type { Attempt, RefusedRecipient } from '../core/outcome.js';
import type { ConnectionInfo } from './relay-transport.js';
import type { Sorted } from './sort-out.js';
import type { SendResult } from './transact.js';

/** What is known of an attempt before its results are. */
export interface AttemptFrame extends Pick<
  Attempt,
  'relay' | 'host' | 'port' | 'tier' | 'recipients' | 'startedAt' | 'endedAt'
> {
  /** Where DNS gave it. */
  readonly address: string | undefined;
}

/**
 * Adds the connection, the phase, and what failed: for the whole batch where it was one thing, else
 * recipient by recipient.
 *
 * @param known the connection, and how far the attempt got for certain: some failures do not tell
 */
export function summarized(
  frame: AttemptFrame,
  results: readonly SendResult[],
  { accepted, refused }: Sorted,
  known?: { readonly taken: ConnectionInfo | undefined; readonly phase: Phase },
): Attempt {
  const attempt = framed(frame, known?.taken ?? {});
  if (accepted.length === 0) {
    const phases = results.flatMap(({ failure }) => (failure && 'phase' in failure ? [failure.phase] : []));
    attempt.phase = furthest(phases.length > 0 ? phases : [known?.phase ?? 'connect']);
  }
  const whole = accepted.length > 0 ? undefined : commonFailure(refused);
  if (whole) {
    attempt.failure = whole.failure;
    attempt.verdict = whole.verdict;
  }
  const common = JSON.stringify(whole?.failure);
  const own = whole ? refused.filter(({ failure }) => JSON.stringify(failure) !== common) : refused;
  if (own.length > 0) attempt.refused = own;
  return attempt;
}

/** Written out, because copying with a spread costs more here than all the rest. */
function framed(
  { relay, host, port, address: known, tier, recipients, startedAt, endedAt }: AttemptFrame,
  { address = known, localAddress }: Partial<ConnectionInfo>,
): Mutable<Attempt> {
  const phase: Phase = 'final-reply';
  if (address === undefined) return { relay, host, port, tier, recipients, startedAt, endedAt, phase };
  if (localAddress === undefined) return { relay, host, port, address, tier, recipients, startedAt, endedAt, phase };
  return { relay, host, port, address, localAddress, tier, recipients, startedAt, endedAt, phase };
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** The failure that ended the attempt for all: the only one, or the one that is not an answer to a single RCPT. */
function commonFailure(refused: readonly RefusedRecipient[]): RefusedRecipient | undefined {
  const first = refused[0];
  const same = JSON.stringify(first?.failure);
  if (refused.every(({ failure }) => JSON.stringify(failure) === same)) return first;
  return refused.find(({ failure }) => !(failure.kind === 'reply' && failure.phase === 'envelope'));
}
