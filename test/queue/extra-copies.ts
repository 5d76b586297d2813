/**
 * Why a message came again in a crash run. Each extra copy has one reason, and what has none is what
 * must not happen.
 */
import type { Accepted } from './unreliable-server.js';

/** When something happened, in the order of things and by the clock. */
export interface Moment {
  readonly at: number;
  readonly ms: number;
}

/** What befell workers, and what they said, each by its name. */
export interface Happened {
  readonly killed: ReadonlyMap<string, Moment>;
  readonly frozen: ReadonlyMap<string, Moment>;
  readonly disturbances: readonly Moment[];
  /** By message: who said, and when, that its claim had gone to another. */
  readonly late: ReadonlyMap<string, readonly { readonly by: string; readonly at: number }[]>;
  /** By message: when it was first said that its delivery is committed. */
  readonly committed: ReadonlyMap<string, number>;
}

/** `late`: a worker whom nothing befell was slower than its lease, and said so. */
export type Reason = 'killed' | 'frozen' | 'disturbed' | 'late' | 'unexplained';

/** From the server's 250 to the end of who heard it: longer than a commit takes on a busy machine. */
const WINDOW_MS = 5_000;

export function reasonFor(first: Accepted, copy: Accepted, happened: Happened): Reason {
  const { frozen, disturbances } = happened;
  // Who was stopped in the middle of a message goes on with it, whoever has it meanwhile.
  if ([first, copy].some(({ by }) => (frozen.get(by)?.at ?? Infinity) < copy.at)) return 'frozen';
  if (disturbances.some(({ at }) => at > first.at && at < copy.at)) return 'disturbed';
  // Its claim was gone before it could commit what it had delivered.
  if (saidLate(first, happened)) return 'late';
  if (killedAfterMs(first, copy, happened) <= WINDOW_MS) return 'killed';
  // It was still at it when another had the message already.
  return saidLate(copy, happened) ? 'late' : 'unexplained';
}

/** From the first copy to the kill of its worker; `Infinity` if that was alive when the next came. */
export function killedAfterMs(first: Accepted, copy: Accepted, { killed }: Happened): number {
  const death = killed.get(first.by);
  return death && death.at < copy.at ? death.ms - first.ms : Infinity;
}

/** What must not be: a copy without a reason, or one of what was known to be delivered, by who could know. */
export function problemsOf(first: Accepted, copy: Accepted, happened: Happened): string[] {
  const { committed, frozen } = happened;
  const again = `${copy.id} came again from ${copy.by}`;
  const problems: string[] = [];
  if (reasonFor(first, copy, happened) === 'unexplained') problems.push(`${again}, though nothing befell ${first.by}`);
  const hadIt = (frozen.get(copy.by)?.at ?? Infinity) < copy.at || saidLate(copy, happened);
  if ((committed.get(copy.id) ?? Infinity) < copy.at && !hadIt) {
    problems.push(`${again} after its delivery was committed`);
  }
  return problems;
}

/** Of the claim by which this was sent: what was said before speaks of another. */
function saidLate({ id, by, at }: Accepted, { late }: Happened): boolean {
  return late.get(id)?.some((one) => one.by === by && one.at > at) ?? false;
}
