/**
 * What a message is rendered from: files, answers of web servers, streams of the app. Where rendering
 * is given up, nodemailer 8 and 9 leave them open, and one that has stalled keeps the process alive;
 * 10 closes them, the app's own too. Here all majors do as 10 does.
 *
 * Not to be reached is a web server that has not even sent headers: 8 and 9 keep the request to
 * themselves. Its answer is closed when it comes.
 */
import type { Writable } from 'node:stream';
import type { ComposedMessage } from './nodemailer-mail.js';

/** The parts of a stream that are used here, of which an app's may lack any. */
interface Closable {
  destroy?(): unknown;
  on?(event: 'pipe' | 'unpipe', listener: (source: Closable) => void): unknown;
}

/** Once `output` is destroyed, so is whatever was piped into it, and whatever still will be. */
export function closeWhatFeeds(output: Writable): void {
  const onSource = (source: Closable): void => {
    if (output.destroyed) close(source);
  };
  output.on('pipe', onSource);
  // A stream that closes lets go of those that are piped into it.
  output.on('unpipe', onSource);
}

function close(stream: Closable): void {
  stream.on?.('pipe', close);
  stream.on?.('unpipe', close);
  stream.destroy?.();
}

/** A MIME tree, as nodemailer composes it. */
export interface MimeTree {
  content?: unknown;
  _raw?: unknown;
  readonly childNodes?: readonly MimeTree[];
}

/** The tree's nodes, the tree itself first. */
export function nodesOf(message: ComposedMessage | MimeTree): MimeTree[] {
  const tree = message as MimeTree;
  return [tree, ...(tree.childNodes ?? []).flatMap(nodesOf)];
}

/** Closes the app's own streams in a message that nobody will read any more. */
export function closeContents(message: ComposedMessage): void {
  for (const { content, _raw } of nodesOf(message)) {
    for (const value of [content, _raw]) if (isStream(value)) close(value);
  }
}

export function isStream(value: unknown): value is Closable {
  return typeof (value as { pipe?: unknown } | null | undefined)?.pipe === 'function';
}
