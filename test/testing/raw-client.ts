/**
 * A client that writes what it is told and reads reply by reply: for the things that a mail library
 * would never do.
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';

export class RawClient {
  readonly socket: Socket;
  #text = '';
  #end: string | undefined;
  readonly #waiting: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => this.#got(() => (this.#text += chunk.toString('latin1'))));
    socket.on('end', () => this.#got(() => (this.#end ??= 'FIN')));
    socket.on('error', (error: NodeJS.ErrnoException) => this.#got(() => (this.#end ??= error.code)));
    socket.on('close', () => this.#got(() => (this.#end ??= 'closed')));
  }

  static to(server: { readonly port: number }): RawClient {
    return new RawClient(connect(server.port, '127.0.0.1'));
  }

  /** The next whole reply, or how the connection ended: `FIN`, `ECONNRESET`, `ECONNREFUSED`. */
  async reply(): Promise<string> {
    for (;;) {
      const whole = /^(?:\d{3}-.*\r\n)*\d{3} .*\r\n/.exec(this.#text)?.[0];
      if (whole !== undefined) {
        this.#text = this.#text.slice(whole.length);
        return whole.trimEnd();
      }
      if (this.#end !== undefined) return this.#end;
      await this.#news();
    }
  }

  /** Writes a command and reads its reply. */
  say(line: string): Promise<string> {
    this.socket.write(`${line}\r\n`);
    return this.reply();
  }

  /** What came and is no whole reply, once it has these words in it. */
  async textWith(words: string): Promise<string> {
    while (!this.#text.includes(words) && this.#end === undefined) await this.#news();
    return this.#text;
  }

  #news(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #got(what: () => void): void {
    what();
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
