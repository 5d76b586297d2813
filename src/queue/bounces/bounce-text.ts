/**
 * The part of a bounce that people read.
 */
import type { Failure } from '../../core/failure.js';
import { onOneLine } from '../../core/reply.js';
import type { BounceReport, ReportedRecipient } from './bounce-report.js';
import { dateTime } from './delivery-status.js';
import { mayHaveArrived, replyOnOneLine, rootOf } from './failure-status.js';
import type { OriginalPart } from './original-part.js';

export function bounceSubject({ kind, recipients }: BounceReport): string {
  if (kind === 'delayed') return 'Your message is delayed';
  return recipients.every(isUncertain)
    ? 'Your message may not have been delivered'
    : 'Your message could not be delivered';
}

export function bounceText(report: BounceReport, original: OriginalPart | undefined): string {
  const { kind, reportingMta, recipients } = report;
  const lines = [
    `This is the mail system at ${onOneLine(reportingMta)}.`,
    '',
    ...(kind === 'delayed' ? DELAYED : recipients.some(isUncertain) ? UNCERTAIN : FAILED),
    ...recipients.flatMap((recipient) => ['', ...aboutRecipient(recipient, kind)]),
    '',
    ...(original ? [`${CONTENTS[original.holds]} attached.`] : ['Your message itself could not be read again.']),
    '',
  ];
  return lines.join('\r\n');
}

const FAILED = [
  'Your message could not be delivered to the recipients below. It is not',
  'tried again. Please check the addresses, or reach the recipients',
  'another way.',
];

/** Someone who was told that mail failed sends it again: twice, if it had arrived. */
const UNCERTAIN = [
  'The delivery of your message to the recipients below failed, or was never',
  'confirmed. It is not tried again. Where it may have arrived, please ask',
  'the recipient before you send it once more.',
];

function isUncertain({ failure }: ReportedRecipient): boolean {
  return mayHaveArrived(failure);
}

const DELAYED = [
  'Your message has not been delivered to the recipients below yet. You need',
  'not do anything: it is tried again, and you will be told if it cannot be',
  'delivered.',
];

const CONTENTS: Readonly<Record<OriginalPart['holds'], string>> = {
  message: 'A copy of your message is',
  headers: 'The headers of your message are',
};

function aboutRecipient(
  { recipient, failure, attempts, remoteMta, retryUntilAt }: ReportedRecipient,
  kind: string,
): string[] {
  const tried = attempts === 1 ? 'Tried once.' : `Tried ${String(attempts)} times.`;
  return [
    `<${onOneLine(recipient)}>`,
    ...(failure.kind === 'expired' ? [`    ${tried}`] : []),
    `    ${reason(rootOf(failure), remoteMta)}`,
    ...(mayHaveArrived(failure) ? ['    The message may have arrived all the same.'] : []),
    ...(kind === 'delayed' && retryUntilAt !== undefined ? [`    It is tried until ${dateTime(retryUntilAt)}.`] : []),
  ];
}

function reason(failure: Failure, remoteMta: string | undefined): string {
  const host = remoteMta === undefined ? 'the receiving server' : onOneLine(remoteMta);
  switch (failure.kind) {
    case 'reply':
      return `Answer of ${host}: ${onOneLine(replyOnOneLine(failure.reply))}`;
    case 'lost':
      return `No usable answer from ${host}: ${onOneLine(failure.message)}`;
    default:
      return `Reason: ${onOneLine(failure.message)}`;
  }
}
