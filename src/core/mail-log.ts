/**
 * Delivery events as lines in the form of the appliance's mail log, so that people keep their log
 * parsers. MID is a message, RID a recipient in it, DCID a connection; `DCID 0` means that none was
 * made. Source: AsyncOS user guide, "Text mail logs".
 */
import type { DeliveryEvent } from './delivery-event.js';
import type { Failure, ReplyFailure } from './failure.js';
import type { Attempt, DeliveryOutcome } from './outcome.js';
import { onOneLine } from './reply.js';

interface Message {
  readonly mid: number;
  /** In order of appearance. */
  readonly recipients: Map<string, LoggedRecipient>;
}

interface LoggedRecipient {
  readonly rid: number;
  /** The connection of the last attempt for this recipient; 0 for none. */
  dcid: number;
}

/** A function that turns each event into its lines, without line ends. Keeps the numbers of messages under way. */
export function mailLog(): (event: DeliveryEvent) => string[] {
  const messages = new Map<string, Message>();
  let lastMid = 0;

  const messageOf = (id: string): Message => {
    const known = messages.get(id);
    if (known) return known;
    const message = { mid: ++lastMid, recipients: new Map<string, LoggedRecipient>() };
    messages.set(id, message);
    return message;
  };

  return (event) => {
    const lines = linesOf(event, messageOf);
    if (event.type === 'settled') messages.delete(event.id);
    return lines.map((line) => `${timestamp(event.at)} Info: ${line}`);
  };
}

function linesOf(event: DeliveryEvent, messageOf: (id: string) => Message): string[] {
  switch (event.type) {
    case 'connection-opened': {
      const { connection, localAddress = '?', address = event.host, port, tls } = event;
      const opened = `New SMTP DCID ${String(connection)} interface ${localAddress} address ${address} port ${String(port)}`;
      const secured = tls
        ? [`DCID ${String(connection)} TLS success protocol ${tls.protocol} cipher ${tls.cipher}`]
        : [];
      return [opened, ...secured];
    }
    case 'connection-closed':
      // A connection that failed has its line already: `Connection Error`.
      return event.reason === undefined ? [`DCID ${String(event.connection)} close`] : [];
    case 'attempt-ended':
      return attemptLines(event, messageOf(event.id));
    case 'settled':
      return settledLines(event.outcome, messageOf(event.id));
    case 'attempt-started':
    case 'masked-failure':
    case 'relay-cooled':
    case 'relay-recovered':
    case 'lookup':
      return [];
    default:
      return event satisfies never;
  }
}

function attemptLines(event: DeliveryEvent & { type: 'attempt-ended' }, message: Message): string[] {
  const { attempt, delivered } = event;
  const connection = event.connection ?? 0;
  for (const recipient of attempt.recipients) loggedRecipient(recipient, message).dcid = connection;
  const { failure } = attempt;
  if (failure && (attempt.phase === 'connect' || attempt.phase === 'session')) {
    return [connectionError(attempt, failure, connection)];
  }
  const dcid = `DCID ${String(connection)} MID ${String(message.mid)}`;
  const lines = [`Delivery start ${dcid} to RID ${ridList(attempt.recipients, message)}`];
  if (delivered.length > 0) {
    const rids = ridList(delivered, message);
    lines.push(`Message done ${dcid} to RID ${rids}`);
    if (event.response !== undefined) {
      lines.push(`MID ${String(message.mid)} RID ${rids} Response ${onOneLine(event.response)}`);
    }
  }
  return lines;
}

function connectionError(attempt: Attempt, failure: Failure, connection: number): string {
  const domain = attempt.recipients[0]?.split('@').at(-1) ?? '';
  const details = failure.kind === 'reply' ? `${replyText(failure)}'` : onOneLine(failure.message);
  const reason = failure.kind === 'reply' ? 'unexpected SMTP response' : 'network error';
  return (
    `Connection Error: DCID ${String(connection)} domain: ${onOneLine(domain)} IP: ${attempt.address ?? attempt.host} ` +
    `port: ${String(attempt.port)} details: ${details} interface: ${attempt.localAddress ?? '?'} reason: ${reason}`
  );
}

function settledLines(outcome: DeliveryOutcome, message: Message): string[] {
  const mid = String(message.mid);
  const lines: string[] = [];
  let done = true;
  for (const result of outcome.recipients) {
    const { rid, dcid } = loggedRecipient(result.recipient, message);
    const to = `DCID ${String(dcid)} MID ${mid} to RID ${String(rid)}`;
    if (result.status === 'rejected') lines.push(`Bounced: ${to} - ${described(result.failure, '5')}`);
    if (result.status === 'queue-for-later') lines.push(`Delayed: ${to} - ${described(result.failure, '4')}`);
    if (result.status === 'possibly-delivered') {
      lines.push(`Possible Delivery: DCID: ${String(dcid)} MID ${mid} to [${String(rid)}]`);
    }
    if (result.status === 'discarded') lines.push(`Dropped: MID ${mid} to RID ${String(rid)} by route /dev/null`);
    done &&= result.status !== 'queue-for-later' && result.status !== 'possibly-delivered';
  }
  if (done) lines.push(`Message finished MID ${mid} done`);
  return lines;
}

/** Enhanced code, its meaning, and the reply as a tuple: `5.1.0 - Unknown address error ('550', ['…']) []`. */
function described(failure: Failure, fallbackClass: string): string {
  if (failure.kind === 'reply') {
    const { code, enhanced, text } = failure.reply;
    const status = enhanced ?? `${String(code)[0] ?? fallbackClass}.1.0`;
    const meaning = nameOf(status) ?? onOneLine(text.split('\n')[0] ?? '');
    return `${status} - ${meaning} ('${String(code)}', [${wireLines(failure).map(quoted).join(', ')}]) []`;
  }
  const { detail, meaning } = OTHER_FAILURES[failure.kind];
  const status = failure.enhanced ?? `${fallbackClass}.${detail}`;
  return `${status} - ${nameOf(status) ?? meaning} ('000', [${quoted(failure.message)}]) []`;
}

/** What the appliance calls an enhanced status code, by subject and detail, as far as its documents and logs show. */
const STATUS_NAMES: Readonly<Record<string, string>> = {
  '1.0': 'Unknown address error',
  '1.2': 'Bad destination host',
  '3.1': 'Mail system full',
  '3.2': 'Not accepting messages at this time',
  '4.0': 'Other network problem',
  '4.7': 'Delivery expired (message too old)',
};

function nameOf(status: string): string | undefined {
  return STATUS_NAMES[status.slice(2)];
}

/** Subject and detail of the status (RFC 3463), and what it is called, where there was no reply. */
const OTHER_FAILURES: Readonly<Record<Exclude<Failure['kind'], 'reply'>, { detail: string; meaning: string }>> = {
  lost: { detail: '4.0', meaning: 'Other network problem' },
  unroutable: { detail: '1.2', meaning: 'Bad destination host' },
  aborted: { detail: '4.0', meaning: 'Delivery aborted' },
  expired: { detail: '4.7', meaning: 'Delivery expired (message too old)' },
  unsupported: { detail: '6.1', meaning: 'Required extension not supported' },
};

/** The reply as it came over the wire, its lines joined by a literal `\n`. */
function replyText(failure: ReplyFailure): string {
  const lines = wireLines(failure);
  return `${String(failure.reply.code)}${lines.length > 1 ? '-' : ' '}${lines.map(onOneLine).join('\\n')}`;
}

/** The lines of a reply without the code, but with the enhanced code, which stands on each (RFC 2034 4). */
function wireLines({ reply: { enhanced, text } }: ReplyFailure): string[] {
  return text.split('\n').map((line) => (enhanced === undefined ? line : `${enhanced} ${line}`));
}

/** As Python's `repr` writes a string, and so the appliance: a quote in a server's text must not end the tuple. */
function quoted(text: string): string {
  const escaped = onOneLine(text.replaceAll('\\', '\\\\'));
  if (!escaped.includes("'")) return `'${escaped}'`;
  return escaped.includes('"') ? `'${escaped.replaceAll("'", "\\'")}'` : `"${escaped}"`;
}

function ridList(recipients: readonly string[], message: Message): string {
  return `[${recipients.map((recipient) => loggedRecipient(recipient, message).rid).join(', ')}]`;
}

function loggedRecipient(recipient: string, { recipients }: Message): LoggedRecipient {
  let logged = recipients.get(recipient);
  if (!logged) {
    logged = { rid: recipients.size, dcid: 0 };
    recipients.set(recipient, logged);
  }
  return logged;
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** Local time, as the appliance and C's `asctime` write it: `Wed Jul  2 09:15:07 2014`. */
function timestamp(at: number): string {
  const date = new Date(at);
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map((n) => String(n).padStart(2, '0')).join(':');
  const day = String(date.getDate()).padStart(2, ' ');
  return `${DAYS[date.getDay()] ?? ''} ${MONTHS[date.getMonth()] ?? ''} ${day} ${time} ${String(date.getFullYear())}`;
}
