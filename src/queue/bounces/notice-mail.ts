/**
 * The message that tells a sender, ready to be stored. It is stored in one step with a result that
 * nothing may hold up, so all that can be wrong with it is found before: it is checked as submitted
 * mail is, and held in memory.
 */
import { isObject } from '../../core/check-options.js';
import { checkMail, sharedEnvelope, type Mail } from '../../delivery/mail.js';
import type { BounceReport } from './bounce-report.js';
import { pieces } from '../message-bytes.js';
import { newId } from '../message-id.js';
import { ENTRY_VERSION, entriesFor, type QueuedMessage } from '../queue-entry.js';
import type { NewMail } from '../queue-store.js';

export type BuildBounce = (report: BounceReport) => Promise<Mail>;

/** @throws {Error} for what cannot be built, stored or read, or is longer than the queue takes */
export async function noticeMail(build: BuildBounce, report: BounceReport, maxBytes: number): Promise<NewMail> {
  const { envelope, message } = withNullSender(await build(report));
  const parts: Uint8Array[] = [];
  for await (const piece of pieces(message, maxBytes)) parts.push(piece);
  const stored: Omit<QueuedMessage, 'size'> = {
    v: ENTRY_VERSION,
    id: newId(report.now),
    ...sharedEnvelope(envelope, ''),
    arrivalAt: report.now,
  };
  return {
    // As a store writes it: what has no JSON is found here.
    message: JSON.parse(JSON.stringify(stored)) as typeof stored,
    body: Buffer.concat(parts),
    entries: entriesFor(envelope),
    named: false,
  };
}

/** From `<>` whatever the builder says: a report that could be bounced would make a loop. */
function withNullSender(built: unknown): Mail {
  const { envelope, message } = (built ?? {}) as Partial<Mail>;
  const mail = { envelope: isObject(envelope) === undefined ? { ...envelope, from: '' } : envelope, message } as Mail;
  checkMail(mail, {});
  return mail;
}
