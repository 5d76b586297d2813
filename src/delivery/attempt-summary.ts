/**
 * How an attempt went, for the trace: how far it got, and what failed.
 */
import { furthest, type Phase } from '../core/failure.js';
import type { Attempt, RefusedRecipient } from '../core/outcome.js';
import type { ConnectionInfo } from './relay-transport.js';
import type { Sorted } from './sort-out.js';
import type { SendResult } from './transact.js';

/** What is known of an attempt before its results are. */
export type AttemptFrame = Pick<Attempt, 'relay' | 'host' | 'port' | 'tier' | 'recipients' | 'startedAt' | 'endedAt'>;

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
  const taken = known?.taken;
  const attempt: Mutable<Attempt> = { ...frame, phase: 'final-reply' };
  if (taken?.address !== undefined) attempt.address = taken.address;
  if (taken?.localAddress !== undefined) attempt.localAddress = taken.localAddress;
  if (accepted.length === 0) attempt.phase = furthest([known?.phase ?? 'connect', ...results.map(phaseOf)]);
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

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** The failure that ended the attempt for all: the only one, or the one that is not an answer to a single RCPT. */
function commonFailure(refused: readonly RefusedRecipient[]): RefusedRecipient | undefined {
  const first = refused[0];
  const same = JSON.stringify(first?.failure);
  if (refused.every(({ failure }) => JSON.stringify(failure) === same)) return first;
  return refused.find(({ failure }) => !(failure.kind === 'reply' && failure.phase === 'envelope'));
}

function phaseOf({ failure }: SendResult): Phase {
  return failure && 'phase' in failure ? failure.phase : 'connect';
}
