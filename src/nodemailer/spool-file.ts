/**
 * A large message, in a temporary file. The file has no name any more as soon as it is open, so
 * nothing is left behind even where the process is killed.
 */
import { randomUUID } from 'node:crypto';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { MessageSource } from '../delivery/relay-transport.js';

/** Octets read and written at once. */
const CHUNK = 65_536;

export class SpoolFile implements MessageSource {
  readonly #file: FileHandle;
  /** Where a file system does not let go of the name of an open file. */
  #name: string | undefined;
  #unwritten: Uint8Array[] = [];
  #unwrittenLength = 0;
  #size = 0;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** @throws {Error} of the system if no file can be made in `directory`, by default the system's for temporary files */
  static async create(directory: string = tmpdir()): Promise<SpoolFile> {
    const path = join(directory, `smtp-routes-${randomUUID()}`);
    // `x`: a file that is there already, or a link planted by somebody else, is not written to.
    const spool = new SpoolFile(await open(path, 'wx+', 0o600));
    await unlink(path).catch(() => {
      spool.#name = path;
    });
    return spool;
  }

  get size(): number {
    return this.#size;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#unwritten.push(bytes);
    this.#unwrittenLength += bytes.length;
    this.#size += bytes.length;
    if (this.#unwrittenLength >= CHUNK) await this.flush();
  }

  async flush(): Promise<void> {
    const bytes = Buffer.concat(this.#unwritten);
    this.#unwritten = [];
    this.#unwrittenLength = 0;
    if (bytes.length > 0) await this.#file.writeFile(bytes);
  }

  /** Reads by position, so that several attempts may read at once. Fails once the file is removed. */
  open(): Readable {
    return Readable.from(chunksOf(this.#file, this.#size), { objectMode: false });
  }

  async remove(): Promise<void> {
    await this.#file.close();
    if (this.#name !== undefined) await unlink(this.#name);
  }
}

async function* chunksOf(file: FileHandle, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < size;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK, at);
    // Half a message must not pass for a whole one.
    if (bytesRead === 0) throw new Error('the spooled message is shorter than it was');
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
