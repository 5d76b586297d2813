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
  /** RID by recipient, in order of appearance. */
  readonly rids: Map<string, number>;
  lastDcid: number;
}

/** A function that turns each event into its lines, without line ends. Keeps the numbers of messages under way. */
export function mailLog(): (event: DeliveryEvent) => string[] {
  const messages = new Map<string, Message>();
  let lastMid = 0;

  const messageOf = (id: string): Message => {
    const known = messages.get(id);
    if (known) return known;
    const message = { mid: ++lastMid, rids: new Map<string, number>(), lastDcid: 0 };
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
  message.lastDcid = connection;
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
    const rid = String(ridOf(result.recipient, message));
    const to = `DCID ${String(message.lastDcid)} MID ${mid} to RID ${rid}`;
    if (result.status === 'rejected') lines.push(`Bounced: ${to} - ${described(result.failure, '5')}`);
    if (result.status === 'queue-for-later') lines.push(`Delayed: ${to} - ${described(result.failure, '4')}`);
    if (result.status === 'possibly-delivered') {
      lines.push(`Possible Delivery: DCID ${String(message.lastDcid)} MID ${mid} to [${rid}]`);
    }
    if (result.status === 'discarded') lines.push(`Dropped: MID ${mid} to RID ${rid} by route /dev/null`);
    done &&= result.status !== 'queue-for-later' && result.status !== 'possibly-delivered';
  }
  if (done) lines.push(`Message finished MID ${mid} done`);
  return lines;
}

/** Enhanced code, its meaning, and the reply as a tuple: `5.1.0 - Unknown address error ('550', ['…']) []`. */
function described(failure: Failure, fallbackClass: string): string {
  if (failure.kind === 'reply') {
    const { code, enhanced, text } = failure.reply;
    const meaning = enhanced === undefined ? 'Unknown address error' : (text.split('\n')[0] ?? '');
    const status = enhanced ?? `${String(code)[0] ?? fallbackClass}.1.0`;
    const lines = text.split('\n').map((line) => `'${onOneLine(line)}'`);
    return `${status} - ${onOneLine(meaning)} ('${String(code)}', [${lines.join(', ')}]) []`;
  }
  const status = failure.enhanced ?? `${fallbackClass}.4.0`;
  return `${status} - ${MEANINGS[failure.kind]} ('000', ['${onOneLine(failure.message)}']) []`;
}

const MEANINGS: Readonly<Record<Exclude<Failure['kind'], 'reply'>, string>> = {
  lost: 'Other network problem',
  unroutable: 'Bad destination host',
  aborted: 'Delivery aborted',
  expired: 'Delivery expired (message too old)',
  unsupported: 'Required extension not supported',
};

/** The reply as it came over the wire, its lines joined by a literal `\n`. */
function replyText({ reply: { code, enhanced, text } }: ReplyFailure): string {
  const lines = text.split('\n');
  const status = enhanced === undefined ? '' : `${enhanced} `;
  return `${String(code)}${lines.length > 1 ? '-' : ' '}${status}${lines.map(onOneLine).join('\\n')}`;
}

function ridList(recipients: readonly string[], message: Message): string {
  return `[${recipients.map((recipient) => ridOf(recipient, message)).join(', ')}]`;
}

function ridOf(recipient: string, { rids }: Message): number {
  const rid = rids.get(recipient) ?? rids.size;
  rids.set(recipient, rid);
  return rid;
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
