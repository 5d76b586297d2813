/**
 * The server's end of one connection: plain TCP or TLS over it, and the several ways to be rude on
 * it. The dialogue above sees bytes only.
 */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { SecureContext } from 'node:tls';
import { ReplyWriter } from './reply-writer.js';
import type { ReplyPace } from './reply-writer.js';

export interface SmtpWireEvents {
  bytes(chunk: Buffer): void;
  closed(): void;
}

export class SmtpWire {
  /** What is under TLS, and what alone can be reset. */
  readonly #tcp: Socket;
  #socket: Socket;
  readonly #writer: ReplyWriter;
  readonly #events: SmtpWireEvents;
  #over = false;

  constructor(tcp: Socket, pace: ReplyPace, events: SmtpWireEvents) {
    this.#tcp = tcp;
    this.#socket = tcp;
    this.#writer = new ReplyWriter(tcp, pace);
    this.#events = events;
    tcp.on('close', () => {
      this.#over = true;
      events.closed();
    });
    this.#listen(tcp);
  }

  get secure(): boolean {
    return this.#socket !== this.#tcp;
  }

  /** The server has hung up, or the connection is gone: nothing more is read or said. */
  get over(): boolean {
    return this.#over;
  }

  /** Bytes as Latin-1, sent with the next `flush`. */
  say(bytes: string): void {
    this.#writer.write(bytes);
  }

  flush(): void {
    this.#writer.flush();
  }

  /** Begins TLS after all that was said, and calls back once it stands. */
  encrypt(secureContext: SecureContext | undefined, then: () => void): void {
    this.#writer.then(() => {
      if (this.#tcp.destroyed) return;
      this.#tcp.removeAllListeners('data');
      const secure = new TLSSocket(this.#tcp, { isServer: true, ...(secureContext && { secureContext }) });
      this.#socket = secure;
      this.#writer.use(secure);
      this.#listen(secure);
      secure.once('close', () => this.#tcp.destroy());
      secure.once('secure', then);
    });
  }

  /** Answers the client's first handshake bytes with what is no TLS, and hangs up. */
  spoilTls(): void {
    this.#over = true;
    this.#writer.then(() => this.#tcp.once('data', () => this.#tcp.end('no TLS here\r\n')));
  }

  /** FIN, after all that was said. What still comes in is read and dropped: unread bytes would turn the FIN into an RST. */
  hangUp(): void {
    this.#over = true;
    this.#writer.then(() => this.#socket.end());
  }

  /** RST; after our FIN plain destruction, since a socket that is shutting down refuses a reset, and would then never close. */
  reset(): void {
    this.#over = true;
    this.#writer.then(() => (this.#tcp.writableEnded ? this.#tcp.destroy() : this.#tcp.resetAndDestroy()));
  }

  /** The same bytes without end, as fast as they are read. */
  flood(bytes: string): void {
    this.#over = true;
    const block = bytes.repeat(Math.ceil(16_384 / bytes.length));
    const pour = (): void => {
      while (this.#socket.writable && this.#socket.write(block, 'latin1'));
    };
    this.#writer.then(() => {
      this.#socket.on('drain', pour);
      pour();
    });
  }

  /** Stops reading, so that the client's writes come to a halt as well. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  destroy(): void {
    this.#over = true;
    this.#socket.destroy();
    this.#tcp.destroy();
  }

  #listen(socket: Socket): void {
    socket.on('data', (chunk: Buffer) => {
      if (!this.#over) this.#events.bytes(chunk);
    });
    // A client may reset at any time; the close that follows says all there is to know.
    socket.on('error', () => undefined);
  }
}
