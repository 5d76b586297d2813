/**
 * Where a message is rendered to: memory, and from some size on a file.
 */
import { Writable } from 'node:stream';
import type { MessageSource } from '../delivery/relay-transport.js';
import { SpoolFile } from './spool-file.js';

export class RenderSink extends Writable {
  readonly #limit: number;
  readonly #directory: string | undefined;
  #chunks: Buffer[] = [];
  #size = 0;
  #lastByte = 0;
  #file: SpoolFile | undefined;

  constructor(limit: number, directory: string | undefined) {
    super();
    this.#limit = limit;
    this.#directory = directory;
  }

  get size(): number {
    return this.#size;
  }

  /** Whether the last line has its line end. */
  get lastByte(): number {
    return this.#lastByte;
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
    this.#size += chunk.length;
    if (chunk.length > 0) this.#lastByte = chunk[chunk.length - 1] ?? 0;
    this.#chunks.push(chunk);
    if (this.#size <= this.#limit) done();
    else this.#spool(done);
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#file) settle(this.#file.flush(), done);
    else done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // Finished messages are released by whoever sends them.
    if (this.writableFinished) done(error);
    else settle(this.release(), () => done(error));
  }

  #spool(done: (error?: Error | null) => void): void {
    const chunks = this.#chunks;
    this.#chunks = [];
    settle(this.#append(chunks), done);
  }

  async #append(chunks: readonly Buffer[]): Promise<void> {
    this.#file ??= await SpoolFile.create(this.#directory);
    for (const chunk of chunks) await this.#file.write(chunk);
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
