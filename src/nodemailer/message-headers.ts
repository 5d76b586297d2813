/**
 * The headers of a rendered message that a transport asks for beside its bytes: SES wants From, a
 * log the Message-ID and the subject.
 */
import { once } from 'node:events';
import type { Message } from '../delivery/relay-transport.js';
import { openBody } from './message-body.js';

/** As nodemailer names them. Absent ones are not there. */
export interface MessageHeaders {
  readonly from?: string;
  readonly subject?: string;
  readonly messageId?: string;
  readonly date?: string;
}

const NAMES: readonly (readonly [header: string, name: keyof MessageHeaders])[] = [
  ['from', 'from'],
  ['subject', 'subject'],
  ['message-id', 'messageId'],
  ['date', 'date'],
];

/** More is no header. */
const MAX_HEADERS = 65_536;

/** Nothing but what can be read; a message that cannot be read fails where it is sent. */
export async function messageHeaders(message: Message): Promise<MessageHeaders> {
  const start = await beginning(message);
  const end = /\r?\n\r?\n/.exec(start)?.index ?? start.length;
  const lines = start
    .slice(0, end)
    .replace(/\r?\n[ \t]+/g, ' ')
    .split(/\r?\n/);
  const found = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).trim().toLowerCase();
    if (colon > 0 && !found.has(name)) found.set(name, line.slice(colon + 1).trim());
  }
  return Object.fromEntries(
    NAMES.flatMap(([header, name]) => {
      const value = found.get(header);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

async function beginning(message: Message): Promise<string> {
  if (typeof message === 'string') return message.slice(0, MAX_HEADERS);
  if (message instanceof Uint8Array) return Buffer.from(message.subarray(0, MAX_HEADERS)).toString('latin1');
  const { stream } = openBody(message, () => undefined);
  stream.on('error', () => undefined);
  try {
    await once(stream, 'readable');
    return (stream.read() as Buffer | null)?.toString('latin1').slice(0, MAX_HEADERS) ?? '';
  } catch {
    return '';
  } finally {
    stream.destroy();
  }
}
