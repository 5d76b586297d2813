/**
 * A real SMTP server on a loopback port that does what a script says. What a scripted transport
 * cannot show, it can: sockets, TLS, pipelining, half a reply, a host that goes down and comes back.
 */
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { parseScriptLine } from './script.js';
import { ScriptedSessions } from './scripted-sessions.js';
import type { Script } from './scripted-sessions.js';
import type { RecordedMessage, RecordedSession } from './smtp-record.js';
import { resolveSmtpServerOptions } from './smtp-server-options.js';
import type { ResolvedSmtpServerOptions, SmtpServerOptions } from './smtp-server-options.js';
import { SmtpSession } from './smtp-session.js';

/**
 * Starts a server and resolves once it listens (or, for the script `refused`, once nobody listens
 * on its port).
 *
 * @throws {TypeError} for a script line that says nothing known.
 */
export async function startSmtpServer(options: SmtpServerOptions = {}): Promise<SmtpTestServer> {
  const server = new SmtpTestServer(options);
  await server.accept();
  if (server.refusing) server.refuse();
  return server;
}

export class SmtpTestServer {
  readonly host: string;
  /** Messages answered with a 2xx to their final dot, in order. */
  readonly messages: RecordedMessage[] = [];
  /** Messages whose final dot arrived, whatever was answered: copies that the server may hold. */
  readonly received: RecordedMessage[] = [];
  /** Every connection so far, in order. */
  readonly sessions: RecordedSession[] = [];
  readonly #options: ResolvedSmtpServerOptions;
  readonly #open = new Set<SmtpSession>();
  readonly #waiting = new Set<() => void>();
  readonly #problems: string[] = [];
  #script: ScriptedSessions;
  #listener: Server | undefined;
  #port: number;
  #connections = 0;
  #accepted = 0;

  /** For `startSmtpServer`, which also begins to listen. */
  constructor(options: SmtpServerOptions) {
    this.host = options.host ?? '127.0.0.1';
    this.#port = options.port ?? 0;
    this.#options = resolveSmtpServerOptions(options);
    this.#script = new ScriptedSessions(options.script ?? '250');
  }

  get port(): number {
    return this.#port;
  }

  /** The certificate it made for `tls: true`, in PEM: what a client is to trust as `ca`. */
  get certificate(): string | undefined {
    return this.#options.certificate;
  }

  /** Connections so far. */
  get connections(): number {
    return this.#connections;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#open.size;
  }

  /** Messages answered with a 2xx so far; counted even with `keep: 'counts'`. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Whether the script says that nobody listens. */
  get refusing(): boolean {
    return this.#script.alwaysRefused;
  }

  /** Follows another script from the next connection on. */
  follow(script: Script): void {
    this.#script = new ScriptedSessions(script);
  }

  /** Stops listening: new connections are refused. Open ones stay. */
  refuse(): void {
    this.#listener?.close();
    this.#listener = undefined;
  }

  /** Listens, again on the same port. */
  async accept(): Promise<void> {
    if (this.#listener) return;
    const listener = createServer({ noDelay: true }, (socket) => this.#connected(socket));
    this.#listener = listener;
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject);
      listener.listen({ port: this.#port, host: this.host }, resolve);
    });
    this.#port = (listener.address() as AddressInfo).port;
  }

  /**
   * Closes the connections that wait for a new transaction, as servers do with idle clients.
   * Answers how many there were.
   *
   * @param line `close`, `reset`, or a reply to say first: `421 4.4.2 idle too long`.
   */
  closeIdle(line: string = 'close'): number {
    const { action } = parseScriptLine(line, 'mail');
    const idle = [...this.#open].filter((session) => session.idle);
    for (const session of idle) session.interrupt(action);
    return idle.length;
  }

  /** Resets every open connection, as a host does that loses its power and comes back. Answers how many there were. */
  drop(): number {
    const open = [...this.#open];
    for (const session of open) session.interrupt({ do: 'reset' });
    return open.length;
  }

  /** Lets stalled connections go on, as if the server had woken up. Answers how many there were. */
  release(): number {
    const stalled = [...this.#open].filter((session) => session.stalled);
    for (const session of stalled) session.release();
    return stalled.length;
  }

  /** Resolves once `condition` holds. It is asked again whenever something happens on a connection. */
  until(condition: (server: this) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const ask = (): void => {
        try {
          if (!condition(this)) return;
          resolve();
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
        this.#waiting.delete(ask);
      };
      this.#waiting.add(ask);
      ask();
    });
  }

  /**
   * Call it when a test ends.
   *
   * @throws {Error} if a script line was never used, or the script's function failed.
   */
  assertExhausted(): void {
    const problems = [...this.#problems, ...this.#script.unused().map((line) => `never used: ${line}`)];
    if (problems.length > 0) throw new Error(`the script and what happened differ\n  ${problems.join('\n  ')}`);
  }

  /** Stops listening and cuts every connection. Resolves when all are gone. */
  async close(): Promise<void> {
    this.refuse();
    for (const session of this.#open) session.destroy();
    await this.until(() => this.#open.size === 0);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #connected(socket: Socket): void {
    const { keep } = this.#options;
    const session: SmtpSession = new SmtpSession(socket, {
      connection: ++this.#connections,
      script: this.#script.next(),
      options: this.#options,
      received: (message) => {
        if (keep) this.received.push(message);
      },
      accepted: (message) => {
        this.#accepted += 1;
        if (keep) this.messages.push(message);
      },
      failed: (error) => this.#problems.push(String(error)),
      changed: () => {
        if (!session.open) this.#open.delete(session);
        for (const ask of this.#waiting) ask();
      },
    });
    this.#open.add(session);
    if (keep) this.sessions.push(session);
    session.begin();
  }
}
