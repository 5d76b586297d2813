/**
 * Builds a bounce, or the warning that mail is late: a `multipart/report` (RFC 6522, RFC 3464) with
 * a part for people, one for programs and the original. The MIME is nodemailer's, loaded when the
 * first one is made: most mail never needs it.
 */
import { createHash } from 'node:crypto';
import type { Mail } from '../delivery/mail.js';
import type { BounceReport } from './bounce-report.js';
import { bounceSubject, bounceText } from './bounce-text.js';
import { dateTime, deliveryStatus } from './delivery-status.js';
import { loadMime } from './load-mime.js';
import { originalPart } from './original-part.js';

/**
 * From the null sender to the sender of the original (RFC 5321 4.5.5).
 *
 * @throws {Error} where nodemailer is not installed
 */
export async function buildBounce(report: BounceReport): Promise<Mail> {
  const { MimeNode, foldLines } = await loadMime();
  const { reportingMta, envelope, now, from = `MAILER-DAEMON@${reportingMta}` } = report;
  // RFC 8689 5: what may only travel over TLS is bounced over TLS, without its body.
  const isSecret = envelope.requireTLSExtensionEnabled === true;
  const original = await originalPart(report.message, isSecret ? 'HDRS' : envelope.dsn?.ret);
  const status = deliveryStatus(report, foldLines);
  const name = nameOf(report);

  const root = new MimeNode('multipart/report; report-type=delivery-status', { baseBoundary: name });
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
  root.createChild('text/plain; charset=utf-8').setContent(bounceText(report, original));
  const machinePart = root.createChild(status.contentType);
  if (status.contentType === 'message/global-delivery-status')
    machinePart.setHeader('Content-Transfer-Encoding', '8bit');
  machinePart.setContent(Buffer.from(status.text));
  if (original) {
    const quoted = root.createChild(original.contentType);
    if (original.is8bit && original.contentType.startsWith('message/')) {
      quoted.setHeader('Content-Transfer-Encoding', '8bit');
    }
    quoted.setContent(original.bytes);
  }
  return {
    envelope: { from: '', to: [envelope.from], ...(isSecret && { requireTLSExtensionEnabled: true }) },
    message: await root.build(),
  };
}

/**
 * The same for the same report: one built again after a crash carries the same Message-ID, so that
 * mailboxes can tell that it is the same. By recipients, since a message may bounce in parts.
 */
function nameOf({ id, kind, recipients }: BounceReport): string {
  const told = [kind, id, ...recipients.map(({ recipient }) => recipient)].join('\n');
  return createHash('sha256').update(told).digest('hex').slice(0, 32);
}
