/**
 * The text of a file or of standard input, with a clear word for everything that is no text.
 */
import { open } from 'node:fs/promises';
import { UsageError } from './usage-error.js';

/** Ten times the largest table anybody has; a device that never ends must. */
const MAX_BYTES = 256 * 2 ** 20;

/** The file can be read, and is no text for us. `line` is absent where the file as a whole is wrong. */
export class FileProblem extends Error {
  readonly line: number | undefined;

  constructor(message: string, line?: number) {
    super(message);
    this.line = line;
  }
}

/** How the file is called in messages. */
export function nameOf(file: string): string {
  return file === '-' ? 'standard input' : file;
}

/**
 * @throws {UsageError} if there is no such file, or it cannot be opened
 * @throws {FileProblem} if it is empty, too large or no UTF-8 text
 */
export async function readText(file: string, input: AsyncIterable<Uint8Array>): Promise<string> {
  const bytes = await (file === '-' ? collect(input) : readFile(file));
  if (bytes.length === 0) throw new FileProblem('is empty');
  return decode(bytes);
}

async function readFile(file: string): Promise<Buffer> {
  try {
    const handle = await open(file, 'r');
    try {
      if ((await handle.stat()).isDirectory()) throw new UsageError(`${file} is a directory: name a file in it`);
      return await collect(handle.createReadStream({ autoClose: false, highWaterMark: 2 ** 20 }));
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof UsageError || error instanceof FileProblem) throw error;
    throw new UsageError(`${file}: ${reasonOf(error as NodeJS.ErrnoException)}`);
  }
}

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'no such file';
  if (code === 'EACCES' || code === 'EPERM') return 'may not be read by you';
  return `cannot be read: ${message}`;
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    // At once, since a device may have no end.
    refuseBinary(chunk, size);
    parts.push(chunk);
    size += chunk.length;
    if (size > MAX_BYTES)
      throw new FileProblem(`is larger than ${String(MAX_BYTES / 2 ** 20)} MB: is it a table of routes?`);
  }
  return Buffer.concat(parts);
}

function refuseBinary(chunk: Uint8Array, offset: number): void {
  if (offset === 0 && ((chunk[0] === 0xff && chunk[1] === 0xfe) || (chunk[0] === 0xfe && chunk[1] === 0xff)))
    throw new FileProblem('is UTF-16: save it as UTF-8');
  const zero = chunk.indexOf(0);
  if (zero >= 0) throw new FileProblem(`is binary, not text (a zero byte at offset ${String(offset + zero)})`);
}

function decode(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  // A replacement character that the file does not hold itself stands for bytes that are no UTF-8.
  if (text.includes('\ufffd') && !bytes.equals(Buffer.from(text))) {
    const line = text.slice(0, text.indexOf('\ufffd')).split('\n').length;
    throw new FileProblem('holds bytes that are no UTF-8: save the file as UTF-8', line);
  }
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}
