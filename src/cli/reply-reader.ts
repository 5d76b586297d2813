/**
 * Reads SMTP replies from a socket, one for each question.
 */
import type { Socket } from 'node:net';
import { isSuccessCode } from '../core/classify.js';
import { onOneLine, printable } from '../core/reply.js';

/** `texts` without the code, a line each. */
export interface ReadReply {
  readonly positive: boolean;
  readonly line: string;
  readonly texts: readonly string[];
}

/** More than any honest reply has. */
const MAX_BYTES = 65_536;

const WHOLE = /^(?:\d{3}-[^\n]*\n)*\d{3}(?: [^\n]*)?\n/;

export class ReplyReader {
  readonly #socket: Socket;
  readonly #onData: (chunk: Buffer) => void;
  #text = '';
  #waiting: { resolve: (reply: ReadReply) => void; reject: (error: Error) => void } | undefined;
  #ended: Error | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#onData = (chunk) => {
      this.#text += chunk.toString('latin1');
      if (this.#text.length > MAX_BYTES) this.#fail(new Error('talks without end'));
      else this.#settle();
    };
    socket.on('data', this.#onData);
    socket.once('error', (error) => this.#fail(error));
    socket.once('close', () => this.#fail(new Error('closes the connection')));
  }

  ask(command: string): Promise<ReadReply> {
    this.#socket.write(`${command}\r\n`);
    return this.read();
  }

  read(): Promise<ReadReply> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(this.#ended);
      this.#waiting = { resolve, reject };
      this.#settle();
    });
  }

  /** Leaves the socket to TLS. What was said beforehand in the clear is dropped (RFC 3207 6). */
  stop(): void {
    this.#socket.off('data', this.#onData);
  }

  #settle(): void {
    const whole = WHOLE.exec(this.#text)?.[0];
    if (whole === undefined) {
      if (this.#text.includes('\n') && !/^\d{3}[ -]/.test(this.#text)) this.#fail(new Error('does not speak SMTP'));
      return;
    }
    if (!this.#waiting) return;
    this.#text = this.#text.slice(whole.length);
    const lines = whole.split(/\r?\n/).filter((line) => line !== '');
    const { resolve } = this.#waiting;
    this.#waiting = undefined;
    resolve({
      positive: isSuccessCode(Number(whole.slice(0, 3))),
      line: onOneLine(lines.join('\n')),
      texts: lines.map((line) => printable(line.slice(4))),
    });
  }

  #fail(error: Error): void {
    this.#ended ??= error;
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }
}
