/**
 * Where a message is rendered to: memory, and from some size on a file.
 */
import { Writable } from 'node:stream';
import type { MessageSource } from '../delivery/relay-transport.js';
import { SpoolFile } from './spool-file.js';

const CR = 0x0d;
const LF = 0x0a;

export class RenderSink extends Writable {
  readonly #limit: number;
  readonly #directory: string | undefined;
  #chunks: Buffer[] = [];
  #size = 0;
  #lastByte = 0;
  #file: SpoolFile | undefined;
  /** Writing to the file goes on when the sink is destroyed. */
  #writing: Promise<void> = Promise.resolve();
  /** Whether to end the last line if it has no line end, as nodemailer's `createReadStream` does. */
  endsLine = false;

  constructor(limit: number, directory: string | undefined) {
    super();
    this.#limit = limit;
    this.#directory = directory;
  }

  get size(): number {
    return this.#size;
  }

  /** What was written. To be taken once, after `finish`. */
  get message(): Buffer | MessageSource {
    const [first] = this.#chunks;
    return this.#file ?? (first && this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks, this.#size));
  }

  /** Frees what the message takes on disk. */
  async release(): Promise<void> {
    await this.#file?.remove();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#take(chunk);
    if (this.#size <= this.#limit) done();
    else this.#spool(done);
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.endsLine && this.#lastByte !== LF) this.#take(Buffer.from(this.#lastByte === CR ? '\n' : '\r\n'));
    if (this.#file) this.#spool(done, true);
    else done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // Finished messages are released by whoever sends them.
    if (this.writableFinished) done(error);
    else settle(this.#abandon(), () => done(error));
  }

  #take(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#size += chunk.length;
    this.#lastByte = chunk[chunk.length - 1] ?? 0;
    this.#chunks.push(chunk);
  }

  #spool(done: (error?: Error | null) => void, last = false): void {
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#writing = this.#append(chunks, last);
    settle(this.#writing, done);
  }

  async #abandon(): Promise<void> {
    // The file may be just being made.
    await this.#writing.catch(() => undefined);
    await this.release();
  }

  async #append(chunks: readonly Buffer[], last: boolean): Promise<void> {
    this.#file ??= await SpoolFile.create(this.#directory);
    for (const chunk of chunks) await this.#file.write(chunk);
    if (last) await this.#file.flush();
  }
}

function settle(work: Promise<void>, done: (error?: Error | null) => void): void {
  work.then(
    () => {
      done();
    },
    (error: unknown) => {
      done(error as Error);
    },
  );
}
