/**
 * Renders a composed message once: attachments are read, and DKIM signs, a single time, and every
 * attempt sends the same bytes. Small messages are kept in memory, large ones in a file.
 */
import type { Readable, Writable } from 'node:stream';
import type { MessageSource } from '../delivery/relay-transport.js';
import type { ComposedMessage } from './nodemailer-mail.js';
import { closeContents, closeWhatFeeds } from './render-sources.js';
import { RenderSink } from './render-sink.js';

export interface RenderOptions {
  /** Larger messages go to a temporary file. */
  readonly spoolAboveBytes: number;
  readonly spoolDirectory?: string | undefined;
  /** How long rendering may take: an attachment may come from a stream or a server that has stopped. */
  readonly limitMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface RenderedMessage {
  readonly message: Buffer | MessageSource;
  readonly size: number;
  /** Frees what the message takes on disk. */
  readonly release: () => Promise<void>;
}

/** Rejects with the error of whatever could not be read or written, or the reason of the signal. */
export function renderMessage(message: ComposedMessage, options: RenderOptions): Promise<RenderedMessage> {
  const { limitMs, signal, spoolAboveBytes, spoolDirectory } = options;
  return new Promise((resolve, reject) => {
    const sink = new RenderSink(spoolAboveBytes, spoolDirectory);
    const stop = (error: Error): void => {
      sink.destroy(error);
    };
    const onAbort = (): void => {
      stop(Object.assign(new Error('aborted'), { cause: signal?.reason as unknown }));
    };
    const timer = setTimeout(() => {
      stop(new Error(`the message was not rendered within ${String(limitMs)} ms`));
    }, limitMs);
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    signal?.addEventListener('abort', onAbort);
    sink.on('finish', () => {
      end();
      resolve({ message: sink.message, size: sink.size, release: () => sink.release() });
    });
    closeWhatFeeds(sink);
    sink.on('error', (error) => {
      end();
      closeContents(message);
      reject(error);
    });
    try {
      if (isPlain(message)) writeInto(message, sink);
      else pipeInto(openedFor(sink, message), sink);
    } catch (error) {
      stop(error as Error);
    }
  });
}

/** The parts of nodemailer's MIME tree that `createReadStream` itself is made of. */
interface PlainMessage {
  stream(output: Writable, options: object, done: (error?: Error | null) => void): void;
}

/**
 * Whether nothing stands between the tree and its bytes: no plugin's transform, no DKIM, no newline
 * option. Then the tree can write where we want it, which costs half of reading its stream.
 */
function isPlain(message: object): message is PlainMessage {
  const { stream, _transforms, _processFuncs, newline } = message as Partial<Record<string, unknown>>;
  const none = (list: unknown): boolean => Array.isArray(list) && list.length === 0;
  const own = Object.hasOwn(message, 'createReadStream') || Object.hasOwn(message, 'stream');
  return typeof stream === 'function' && none(_transforms) && none(_processFuncs) && !newline && !own;
}

function writeInto(message: PlainMessage, sink: RenderSink): void {
  sink.endsLine = true;
  message.stream(sink, {}, (error) => {
    if (error) sink.destroy(error);
    else if (!sink.destroyed) sink.end();
  });
}

/**
 * The rendered stream. What the tree is written to comes first in it, and not all that stands
 * between that and the end passes on that it was closed: DKIM does not.
 */
function openedFor(sink: RenderSink, message: ComposedMessage & Partial<PlainMessage>): Readable {
  const { stream: write } = message;
  if (typeof write !== 'function' || Object.hasOwn(message, 'stream')) return message.createReadStream();
  message.stream = (output, options, done) => {
    closeWhatFeeds(output);
    sink.on('close', () => {
      if (!sink.writableFinished) output.destroy();
    });
    write.call(message, output, options, done);
  };
  try {
    return message.createReadStream();
  } finally {
    delete message.stream;
  }
}

/** By hand and not by `pipeline`: nodemailer 8 and 9 emit errors on streams that go on. */
function pipeInto(stream: Readable, sink: RenderSink): void {
  stream.on('error', (error) => {
    sink.destroy(error);
  });
  stream.on('close', () => {
    if (!stream.readableEnded) sink.destroy(stream.errored ?? new Error('the message was closed before its end'));
  });
  sink.on('close', () => {
    if (!stream.readableEnded) stream.destroy();
  });
  stream.pipe(sink);
}
