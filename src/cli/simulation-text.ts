/**
 * A simulation as a page: the shares as bars, the way of a message, what waits and for how long.
 */
import type { Attempt, DeliveryOutcome, RecipientOutcome } from '../core/outcome.js';
import type { RouteTable } from '../core/route-table.js';
import type { SimulatedQueueEntry, Simulation } from '../testing/simulation.js';
import type { TextOutput } from './command-context.js';
import { failureText, span } from './failure-text.js';
import { columns } from './table-text.js';

const BAR = 24;
const MAX_RELAYS = 30;
const MAX_WAITING = 10;
const MAX_RETRIES = 12;

export function simulationText(table: RouteTable, to: readonly string[], run: Simulation, output: TextOutput): string {
  const { paint } = output;
  const statuses = Object.entries(run.statuses)
    .filter(([, count]) => count > 0)
    .map(([status, count]) => `${count.toLocaleString('en')} ${status}`);
  const lines = [
    `${run.messages.toLocaleString('en')} message${run.messages === 1 ? '' : 's'} for ${list(to)}: ${statuses.join(', ')}`,
    '',
    ...relayTable(run),
    ...samples(run.outcomes).flatMap((outcome) => wayText(outcome, paint)),
    ...run.queued.slice(0, MAX_WAITING).flatMap(waitingLines),
    ...(run.queued.length > MAX_WAITING ? [`… and ${String(run.queued.length - MAX_WAITING)} more recipients`] : []),
    ...(run.statuses.rejected > 0 && run.queued.length === 0 ? rejection(run.outcomes) : []),
  ];
  return `${lines.join('\n')}\n`;
}

function list(to: readonly string[]): string {
  return to.length > 3 ? `${to.slice(0, 3).join(', ')} and ${String(to.length - 3)} more` : to.join(', ');
}

function relayTable(run: Simulation): string[] {
  const used = Object.entries(run.relays).filter(([, { attempts }]) => attempts > 0);
  if (used.length === 0) return ['  No relay was tried.', ''];
  const all = used.reduce((sum, [, { delivered }]) => sum + delivered, 0);
  const rows = used
    .sort(([, a], [, b]) => b.delivered - a.delivered)
    .slice(0, MAX_RELAYS)
    .map(([id, { delivered, attempts, failed }]) => {
      const part = all === 0 ? 0 : delivered / all;
      const filled = delivered === 0 ? 0 : Math.max(1, Math.round(part * BAR));
      const bar = '█'.repeat(filled) + '·'.repeat(BAR - filled);
      return [
        id,
        delivered.toLocaleString('en'),
        `${(100 * part).toFixed(1)} %`,
        bar,
        attempts.toLocaleString('en'),
        failed.toLocaleString('en'),
      ];
    });
  const more = used.length > MAX_RELAYS ? [`  … and ${String(used.length - MAX_RELAYS)} more`] : [];
  return [...columns(['relay', '>delivered', '>share', '', '>attempts', '>failed'], rows), ...more, ''];
}

/** The message with the most to tell, and one that is in doubt. */
function samples(outcomes: readonly DeliveryOutcome[]): DeliveryOutcome[] {
  const longest = outcomes.reduce((a, b) => (b.attempts.length > a.attempts.length ? b : a));
  const doubtful = outcomes.find(({ recipients }) => recipients[0]?.status === 'possibly-delivered');
  return [...new Set([longest, ...(doubtful ? [doubtful] : [])])].filter(({ attempts }) => attempts.length > 0);
}

function wayText(best: DeliveryOutcome, paint: TextOutput['paint']): string[] {
  const [recipient] = best.recipients;
  return [
    `The way of ${best.id}, to ${recipient?.recipient ?? ''}:`,
    ...best.attempts.map(
      (attempt, i) => `  ${String(i + 1)}. ${attempt.relay}: ${attemptText(attempt, recipient, paint)}`,
    ),
    ...(recipient ? [`  → ${endText(recipient)}`] : []),
    '',
  ];
}

function attemptText(
  { failure, verdict, refused }: Attempt,
  recipient: RecipientOutcome | undefined,
  paint: TextOutput['paint'],
): string {
  const own = refused?.find((one) => one.recipient === recipient?.recipient);
  const what = failure ?? own?.failure;
  if (!what) return paint('green', 'accepted');
  const then = (failure ? verdict : own?.verdict) ?? { action: 'next-relay', cool: false };
  return `${paint('red', failureText(what))}: ${THEN[then.action] ?? then.action}${then.cool ? ', and it is cooled' : ''}`;
}

const THEN: Readonly<Record<string, string>> = {
  'next-relay': 'next relay',
  reject: 'rejected',
  stop: 'no other relay is tried',
};

function endText(end: RecipientOutcome): string {
  switch (end.status) {
    case 'delivered':
      return `delivered by ${end.relay}`;
    case 'discarded':
      return 'discarded';
    case 'queue-for-later':
    case 'possibly-delivered':
    case 'rejected':
      return `${end.status}: ${failureText(end.failure)}`;
    default:
      return end satisfies never;
  }
}

function waitingLines({ recipient, messages, failure, queuedAt, retriesAt, end }: SimulatedQueueEntry): string[] {
  const times = retriesAt.map((at) => span(at - queuedAt));
  const shown =
    times.length <= MAX_RETRIES ? times : [...times.slice(0, MAX_RETRIES - 1), `… (${String(times.length)} in all)`];
  return [
    `Queued: ${recipient}, ${messages.toLocaleString('en')} message${messages === 1 ? '' : 's'}: ${failureText(failure)}`,
    `  tried again after ${shown.join(', ')}`,
    `  in the end, after ${span((retriesAt.at(-1) ?? queuedAt) - queuedAt)}: ${endText(end)}`,
    '',
  ];
}

function rejection(outcomes: readonly DeliveryOutcome[]): string[] {
  const rejected = outcomes.flatMap(({ recipients }) => recipients).find(({ status }) => status === 'rejected');
  return rejected?.status === 'rejected'
    ? [`Rejected: ${rejected.recipient}: ${failureText(rejected.failure)}`, '']
    : [];
}
