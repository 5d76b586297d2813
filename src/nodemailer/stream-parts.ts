/**
 * A part of a message that is a stream can be read once, and rendering reads it. Where a relay is a
 * transport that may build a request of its own from the parts, they are read into memory first, as
 * such transports would do themselves: mail must not arrive without its attachments.
 */
import { buffer } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import type { RouteTable } from '../core/route-table.js';
import { inTime, type InTime } from './in-time.js';
import type { NodemailerMail } from './nodemailer-mail.js';
import { closeContents, isStream, nodesOf } from './render-sources.js';

/** Whether `read` must be called before the message is rendered. */
export function hasStreamParts({ data }: NodemailerMail): boolean {
  return placesIn(data).some(isStreamPlace);
}

export function hasWrappedRelay(routes: RouteTable): boolean {
  const known = wraps.get(routes);
  if (known !== undefined) return known;
  const found = [...routes.relays()].some(({ via }) => 'transport' in via);
  wraps.set(routes, found);
  return found;
}

/** A table never changes, and is asked for every message. */
const wraps = new WeakMap<RouteTable, boolean>();

/**
 * Puts bytes in the place of streams, in the parts and in the MIME tree composed from them. Rejects
 * as a stream does, or when the time is over, and then has closed them all.
 */
export async function readStreamParts(mail: NodemailerMail, allowed: InTime<void>): Promise<void> {
  try {
    await inTime(read(mail), allowed);
  } catch (error) {
    closeContents(mail.message);
    throw error;
  }
}

async function read({ data, message }: NodemailerMail): Promise<void> {
  const nodes = nodesOf(message);
  for (const { holder, key } of placesIn(data).filter(isStreamPlace)) {
    const stream = holder[key] as Readable;
    const bytes = await buffer(stream);
    holder[key] = TEXTS.includes(key) ? bytes.toString() : bytes;
    for (const node of nodes) {
      if (node.content === stream) node.content = bytes;
      if (node._raw === stream) node._raw = bytes;
    }
  }
}

const TEXTS = ['text', 'html', 'watchHtml', 'amp'];
const LISTS = ['attachments', 'alternatives'];

interface Place {
  readonly holder: Record<string, unknown>;
  readonly key: string;
}

function placesIn(data: object): Place[] {
  const parts = data as Record<string, unknown>;
  const direct = [...TEXTS, 'icalEvent'].flatMap((key) => [{ holder: parts, key }, ...contentOf(parts[key])]);
  const listed = LISTS.flatMap((key) => (Array.isArray(parts[key]) ? parts[key].flatMap(contentOf) : []));
  return [...direct, ...listed];
}

function contentOf(part: unknown): Place[] {
  return typeof part === 'object' && part !== null && !isStream(part)
    ? ['content', 'raw'].map((key) => ({ holder: part as Record<string, unknown>, key }))
    : [];
}

function isStreamPlace({ holder, key }: Place): boolean {
  return isStream(holder[key]);
}
