/**
 * The part of a bounce that programs read: `message/delivery-status` (RFC 3464), or its form for
 * addresses beyond ASCII, `message/global-delivery-status` (RFC 6533).
 */
import { isIP } from 'node:net';
import { needsSmtpUtf8, readMailbox } from '../../core/address.js';
import type { Failure } from '../../core/failure.js';
import { onOneLine } from '../../core/reply.js';
import type { BounceReport, ReportedRecipient } from './bounce-report.js';
import { replyOnOneLine, rootOf, statusOf } from './failure-status.js';

export interface DeliveryStatus {
  readonly contentType: 'message/delivery-status' | 'message/global-delivery-status';
  readonly text: string;
}

/** @param fold breaks a long header field into lines */
export function deliveryStatus(report: BounceReport, fold: (field: string) => string): DeliveryStatus {
  const isGlobal =
    report.recipients.some(({ recipient }) => needsSmtpUtf8(recipient)) ||
    needsSmtpUtf8(report.envelope.dsn?.orcpt ?? '');
  const groups = [messageFields(report), ...report.recipients.map((one) => recipientFields(report, one))];
  const text = groups
    .map((fields) =>
      fields
        .filter(([, value]) => value !== undefined && value !== '')
        .map(([name, value = '']) => `${fold(`${name}: ${isGlobal ? value : value.replace(NOT_ASCII, '?')}`)}\r\n`)
        .join(''),
    )
    .join('\r\n');
  return { contentType: isGlobal ? 'message/global-delivery-status' : 'message/delivery-status', text };
}

type Field = readonly [name: string, value: string | undefined];

function messageFields({ reportingMta, arrivalAt, envelope }: BounceReport): Field[] {
  return [
    ['Original-Envelope-Id', envelope.dsn?.envid && safe(envelope.dsn.envid)],
    ['Reporting-MTA', mta(reportingMta)],
    ['Arrival-Date', dateTime(arrivalAt)],
  ];
}

function recipientFields({ kind, envelope }: BounceReport, one: ReportedRecipient): Field[] {
  const { recipient, failure, remoteMta, lastAttemptAt, retryUntilAt } = one;
  return [
    ['Original-Recipient', envelope.dsn?.orcpt && originalRecipient(envelope.dsn.orcpt)],
    [
      'Final-Recipient',
      `${needsSmtpUtf8(recipient) ? 'utf-8' : 'rfc822'}; ${safe(readMailbox(recipient)?.wire ?? recipient)}`,
    ],
    ['Action', kind],
    ['Status', statusOf(failure, kind)],
    ['Remote-MTA', remoteMta && mta(remoteMta)],
    ['Diagnostic-Code', diagnosis(rootOf(failure))],
    ['Last-Attempt-Date', lastAttemptAt === undefined ? undefined : dateTime(lastAttemptAt)],
    ['Will-Retry-Until', kind === 'delayed' && retryUntilAt !== undefined ? dateTime(retryUntilAt) : undefined],
  ];
}

/** `smtp` is for replies of a server alone (RFC 3464 2.3.6); what we say ourselves is marked as ours. */
function diagnosis(failure: Failure): string {
  if (failure.kind === 'reply') return `smtp; ${safe(replyOnOneLine(failure.reply))}`;
  return `x-smtp-routes; ${safe(failure.kind === 'lost' ? `${failure.code} ${failure.message}` : failure.message)}`;
}

function originalRecipient(orcpt: string): string {
  const address = safe(orcpt);
  return /^[a-z0-9-]+;/i.test(address) ? address.replace(/^([^;]*); ?/, '$1; ') : `rfc822; ${address}`;
}

/** A host as RFC 3464 2.1.2 names it; an address stands as a literal. */
function mta(host: string): string {
  const kind = isIP(host);
  return `dns; ${kind === 4 ? `[${host}]` : kind === 6 ? `[IPv6:${host}]` : safe(host)}`;
}

/** RFC 5322 3.3. */
export function dateTime(at: number): string {
  return new Date(at).toUTCString().replace('GMT', '+0000');
}

/** Octets: more than any honest server says of one recipient, and less than the 998 that a line of mail may hold. */
const MAX_VALUE = 900;

/** On one line, without control characters, short enough for a line however it is folded. */
function safe(text: string): string {
  const octets = Buffer.from(onOneLine(text));
  if (octets.length <= MAX_VALUE) return octets.toString();
  // As the beginning of a stream: half a character at the cut is left out.
  return new TextDecoder().decode(octets.subarray(0, MAX_VALUE), { stream: true });
}

// eslint-disable-next-line no-control-regex
const NOT_ASCII = /[^\u0000-\u007f]/gu;
