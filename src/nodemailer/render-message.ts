/**
 * Renders a composed message once: attachments are read, and DKIM signs, a single time, and every
 * attempt sends the same bytes. Small messages are kept in memory, large ones in a file.
 */
import type { Readable } from 'node:stream';
import type { MessageSource } from '../delivery/relay-transport.js';
import { SpoolFile } from './spool-file.js';

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

/** @throws {Error} of whatever could not be read or written, or the reason of the signal */
export async function renderMessage(stream: Readable, options: RenderOptions): Promise<RenderedMessage> {
  const { limitMs, signal } = options;
  // nodemailer 8 and 9 emit errors on a stream that goes on: a late one must find a listener.
  stream.on('error', () => undefined);
  const stop = (): void => {
    stream.destroy(signal?.reason as Error);
  };
  const timer = setTimeout(() => {
    stream.destroy(new Error(`the message was not rendered within ${String(limitMs)} ms`));
  }, limitMs);
  signal?.addEventListener('abort', stop, { once: true });
  try {
    const { chunks, size, ended } = await collect(stream, options.spoolAboveBytes);
    if (ended) return { message: Buffer.concat(chunks, size), size, release: nothingToFree };
    return await spooled(chunks, stream, options.spoolDirectory);
  } catch (error) {
    stream.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
}

const nothingToFree = (): Promise<void> => Promise.resolve();

interface Collected {
  readonly chunks: readonly Buffer[];
  readonly size: number;
  /** Whether that is all; if not, the stream is paused. */
  readonly ended: boolean;
}

function collect(stream: Readable, limit: number): Promise<Collected> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const stop = (): void => {
      stream.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose);
    };
    const onData = (chunk: Buffer | string): void => {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      chunks.push(bytes);
      size += bytes.length;
      if (size <= limit) return;
      stream.pause();
      stop();
      resolve({ chunks, size, ended: false });
    };
    const onEnd = (): void => {
      stop();
      resolve({ chunks, size, ended: true });
    };
    const onError = (error: Error): void => {
      stop();
      reject(error);
    };
    const onClose = (): void => {
      onError(stream.errored ?? new Error('the message was closed before its end'));
    };
    stream.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose);
    if (stream.destroyed) onClose();
  });
}

async function spooled(
  begun: readonly Buffer[],
  stream: Readable,
  directory: string | undefined,
): Promise<RenderedMessage> {
  const file = await SpoolFile.create(directory);
  try {
    for (const chunk of begun) await file.write(chunk);
    for await (const chunk of stream as AsyncIterable<Buffer | string>) {
      await file.write(typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
    }
    await file.flush();
  } catch (error) {
    await file.remove();
    throw error;
  }
  return { message: file, size: file.size, release: () => file.remove() };
}
