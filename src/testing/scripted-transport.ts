/**
 * A relay transport that follows a script instead of a network. It reports what a faithful SMTP
 * client would after the same dialogue: tests of routing then run in microseconds, and still speak
 * of 452 replies and lost connections rather than of mocked calls.
 */
import { isIP } from 'node:net';
import type { SmtpReply } from '../core/failure.js';
import type { Relay } from '../core/relay.js';
import type {
  AbortReason,
  Envelope,
  RecipientReport,
  RelayTransport,
  SendRequest,
} from '../delivery/relay-transport.js';
import { ScriptedAttempt, aborted } from './scripted-attempt.js';
import { ScriptedSessions } from './scripted-sessions.js';
import type { Script } from './scripted-sessions.js';

/** One send, as it went. `body`, `reports` and `lines` grow while it is under way. */
export interface ScriptedSend {
  readonly relay: string;
  /** 1 for the first send to this relay. */
  readonly attempt: number;
  readonly from: string;
  readonly recipients: readonly string[];
  /** All of it, with what the envelope asks for. */
  readonly envelope: Envelope;
  /** The script lines that acted, in order. */
  readonly lines: readonly string[];
  /** The whole message, if it was read to its end. */
  readonly body?: Buffer;
  /** What the send resolved with; absent while it is under way. */
  readonly reports?: readonly RecipientReport[];
}

type OpenSend = { -readonly [K in keyof ScriptedSend]: ScriptedSend[K] };

export interface ScriptedTransportOptions {
  /** The most sends at once to one relay, as `RelayTransport.limit` says. Default: no limit. */
  readonly limit?: number;
}

export class ScriptedTransport implements RelayTransport {
  readonly #sessions = new Map<string, ScriptedSessions>();
  readonly #trace: OpenSend[] = [];
  readonly #sends = new Map<string, number>();
  readonly #stalled = new Set<() => void>();
  readonly #problems: string[] = [];
  readonly #limit: number;
  #connections = 0;
  #closed = false;

  /**
   * @param scripts by relay id. An array is one entry for each send to that relay; a relay without
   * a script accepts everything. A bare 4xx or 5xx code answers the connection in place of a greeting.
   * @throws {TypeError} for a line that says nothing known.
   */
  constructor(scripts: Readonly<Record<string, Script>> = {}, options: ScriptedTransportOptions = {}) {
    for (const [relay, script] of Object.entries(scripts)) this.#sessions.set(relay, new ScriptedSessions(script));
    this.#limit = options.limit ?? Infinity;
  }

  /** Every send so far, in the order they began. */
  get trace(): readonly ScriptedSend[] {
    return this.#trace;
  }

  /** Whether `close` was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /** How many sends are under way, in all or to one relay. */
  busy(relay?: string): number {
    return this.#trace.filter((send) => !send.reports && (relay === undefined || send.relay === relay)).length;
  }

  async send(request: SendRequest): Promise<readonly RecipientReport[]> {
    const { relay, envelope, signal } = request;
    // Nobody is called for a send that was given up beforehand, so it takes no line either.
    if (signal.aborted) return envelope.to.map((recipient) => ({ recipient, failure: aborted(signal.reason) }));
    const attempt = (this.#sends.get(relay.id) ?? 0) + 1;
    this.#sends.set(relay.id, attempt);
    const lines: string[] = [];
    const entry: OpenSend = {
      relay: relay.id,
      attempt,
      from: envelope.from,
      envelope,
      recipients: [...envelope.to],
      lines,
    };
    const sessions = this.#sessions.get(relay.id);
    const session = sessions?.next();
    if (sessions && !session) {
      const problem = `relay ${relay.id}: no script line is left for send ${String(attempt)} (to ${envelope.to.join(', ')})`;
      this.#problems.push(problem);
      throw new Error(problem);
    }
    this.#trace.push(entry);
    const connection = ++this.#connections;
    const dialogue = new ScriptedAttempt({
      request,
      connection: { connection, ...(isIP(relay.host) === 0 ? {} : { address: relay.host }) },
      next: (moment) => {
        const directive = session?.at({ ...moment, connection: attempt, message: 0 });
        if (directive) lines.push(directive.line);
        return directive;
      },
      accepted: acceptedBy(relay),
      stall: (interrupts) => this.#stall(signal, interrupts),
      keepBody: (body) => (entry.body = body),
    });
    try {
      return (entry.reports = await dialogue.run());
    } catch (error) {
      this.#problems.push(`relay ${relay.id}: ${String(error)}`);
      entry.reports = [];
      throw error;
    }
  }

  limit(): number {
    return this.#limit;
  }

  close(): void {
    this.#closed = true;
  }

  /** A relay follows another script from its next send on. */
  follow(relay: string, script: Script): void {
    this.#sessions.set(relay, new ScriptedSessions(script));
  }

  /** Lets every stalled send go on, as if the server had answered at last. Answers how many there were. */
  release(): number {
    const stalled = [...this.#stalled];
    for (const go of stalled) go();
    return stalled.length;
  }

  /**
   * Call it when a test ends.
   *
   * @throws {Error} if a script line was never used, or a send found none left.
   */
  assertExhausted(): void {
    const unused = [...this.#sessions].flatMap(([relay, sessions]) =>
      sessions.unused().map((line) => `relay ${relay}: never used: ${line}`),
    );
    const problems = [...this.#problems, ...unused];
    if (problems.length > 0) throw new Error(`the script and what happened differ\n  ${problems.join('\n  ')}`);
  }

  /** Waits for `release`, or for an abort that may interrupt. Answers whether it was released. */
  #stall(signal: AbortSignal, interrupts: (reason: unknown) => boolean): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (released: boolean): void => {
        this.#stalled.delete(release);
        signal.removeEventListener('abort', abort);
        resolve(released);
      };
      const release = (): void => end(true);
      const abort = (): void => {
        if (interrupts(signal.reason)) end(false);
        // Past the dot the caller's wish does not count, but the limit does.
        else (signal.reason as AbortReason).limit?.addEventListener('abort', () => end(false), { once: true });
      };
      this.#stalled.add(release);
      signal.addEventListener('abort', abort);
      if (signal.aborted) abort();
    });
  }
}

/** Says which relay took the message, so that a wrong one shows in a failed comparison. */
function acceptedBy(relay: Relay): SmtpReply {
  return { code: 250, enhanced: '2.0.0', text: `accepted by ${relay.id}` };
}
