/**
 * A part of a message that is a stream can be read once, and rendering reads it. Where a relay is a
 * transport that may build a request of its own from the parts, they are read into memory first, as
 * such transports would do themselves: mail must not arrive without its attachments.
 */
import { buffer } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import type { RouteTable } from '../core/route-table.js';
import type { NodemailerMail } from './nodemailer-mail.js';

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

/** Puts bytes in the place of streams, in the parts and in the MIME tree composed from them. Rejects as a stream does. */
export async function readStreamParts({ data, message }: NodemailerMail): Promise<void> {
  const nodes = nodesOf(message as unknown as MimeTree);
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

interface MimeTree {
  content?: unknown;
  _raw?: unknown;
  readonly childNodes?: readonly MimeTree[];
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

function isStream(value: unknown): boolean {
  return typeof (value as { pipe?: unknown } | null | undefined)?.pipe === 'function';
}

function nodesOf(tree: MimeTree): MimeTree[] {
  return [tree, ...(tree.childNodes ?? []).flatMap(nodesOf)];
}
