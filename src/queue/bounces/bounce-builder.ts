/**
 * Builds a bounce, or the warning that mail is late: a `multipart/report` (RFC 6522, RFC 3464) with
 * a part for people, one for programs and the original. The MIME is nodemailer's, loaded when the
 * first one is made: most mail never needs it.
 */
import { createHash } from 'node:crypto';
import type { Mail } from '../../delivery/mail.js';
import type { BounceReport } from './bounce-report.js';
import { bounceSubject, bounceText } from './bounce-text.js';
import { dateTime, deliveryStatus, type DeliveryStatus } from './delivery-status.js';
import { loadMime } from './load-mime.js';
import { originalPart, type OriginalPart } from './original-part.js';

/**
 * From the null sender to the sender of the original (RFC 5321 4.5.5). Longer than `maxBytes` only
 * if it is so without the original's body.
 *
 * @throws {Error} where nodemailer is not installed
 */
export async function buildBounce(report: BounceReport): Promise<Mail> {
  const { envelope, message, maxBytes = Infinity } = report;
  // RFC 8689 5: what may only travel over TLS is bounced over TLS, without its body.
  const isSecret = envelope.requireTLSExtensionEnabled === true;
  const original = await originalPart(message, isSecret ? 'HDRS' : envelope.dsn?.ret);
  const mail = await bounceWith(original, report);
  if (mail.message.length <= maxBytes || original?.holds !== 'message') return mail;
  return await bounceWith(await originalPart(message, 'HDRS'), report);
}

async function bounceWith(
  original: OriginalPart | undefined,
  report: BounceReport,
): Promise<Mail & { readonly message: Buffer }> {
  const { MimeNode, foldLines } = await loadMime();
  const { reportingMta, envelope, now, from = `MAILER-DAEMON@${reportingMta}` } = report;
  const isSecret = envelope.requireTLSExtensionEnabled === true;
  const status = deliveryStatus(report, foldLines);
  const text = bounceText(report, original);
  const name = nameOf(report);
  const is8bit = isGlobal(status) || (original !== undefined && isUnencoded8bit(original));

  // Over the parts too: whoever knows the name could otherwise write a boundary into the original, and with it a part of ours.
  const baseBoundary = hash(name, text, status.text, original?.bytes ?? '');
  const root = new MimeNode('multipart/report; report-type=delivery-status', { baseBoundary });
  root.setHeader('From', { name: 'Mail Delivery System', address: from });
  root.setHeader('To', { name: '', address: envelope.from });
  root.setHeader('Subject', bounceSubject(report));
  root.setHeader('Date', dateTime(now));
  root.setHeader('Message-ID', `<${name}@${reportingMta}>`);
  // RFC 3834 5: keeps out-of-office programs from answering.
  root.setHeader('Auto-Submitted', 'auto-replied');
  if (original?.messageId !== undefined) {
    root.setHeader('In-Reply-To', original.messageId);
    root.setHeader('References', original.messageId);
  }
  // RFC 2045 6.4: a multipart is 8bit if any part is.
  if (is8bit) root.setHeader('Content-Transfer-Encoding', '8bit');
  root.createChild('text/plain; charset=utf-8').setContent(text);
  const machinePart = root.createChild(status.contentType);
  if (isGlobal(status)) machinePart.setHeader('Content-Transfer-Encoding', '8bit');
  machinePart.setContent(Buffer.from(status.text));
  if (original) {
    const quoted = root.createChild(original.contentType);
    if (isUnencoded8bit(original)) quoted.setHeader('Content-Transfer-Encoding', '8bit');
    quoted.setContent(original.bytes);
  }
  return {
    envelope: {
      from: '',
      to: [envelope.from],
      ...(is8bit && { use8BitMime: true }),
      ...(isSecret && { requireTLSExtensionEnabled: true }),
    },
    message: await root.build(),
  };
}

/**
 * The same for the same report: one built again after a crash carries the same Message-ID, so that
 * mailboxes can tell that it is the same. By recipients, since a message may bounce in parts.
 */
function nameOf({ id, kind, recipients }: BounceReport): string {
  return hash(kind, id, ...recipients.map(({ recipient }) => recipient));
}

/** With the length of each part, so that no two lists of parts are one text. */
function hash(...parts: readonly (string | Buffer)[]): string {
  const sum = createHash('sha256');
  for (const part of parts) sum.update(`${String(part.length)}:`).update(part);
  return sum.digest('hex').slice(0, 32);
}

function isGlobal({ contentType }: DeliveryStatus): boolean {
  return contentType === 'message/global-delivery-status';
}

/** nodemailer encodes text, and leaves messages within a message as they are. */
function isUnencoded8bit({ is8bit, contentType }: OriginalPart): boolean {
  return is8bit && contentType.startsWith('message/');
}
