/**
 * One connection to a test server: what came in is worked off in order, and at each stage the script
 * may step in. It is apart from the dialogue so that hanging up, stalling and nonsense need no word in
 * the rules of SMTP.
 */
import type { Socket } from 'node:net';
import { BodyReader } from './body-reader.js';
import { formatReply } from './format-reply.js';
import { performAction } from './perform-action.js';
import type { Action, Stage } from './script.js';
import type { ScriptedSession } from './scripted-sessions.js';
import { SmtpDialogue } from './smtp-dialogue.js';
import type { DialoguePort } from './smtp-dialogue.js';
import type { RecordedMessage, RecordedSession } from './smtp-record.js';
import type { ResolvedSmtpServerOptions } from './smtp-server-options.js';
import { SmtpWire } from './smtp-wire.js';

export interface SmtpSessionContext {
  readonly connection: number;
  readonly script: ScriptedSession | undefined;
  readonly options: ResolvedSmtpServerOptions;
  received(message: RecordedMessage): void;
  accepted(message: RecordedMessage): void;
  /** The script is wrong. */
  failed(error: unknown): void;
  /** Something happened that an assertion may wait for. */
  changed(): void;
}

const NOTHING = Buffer.alloc(0);

export class SmtpSession implements RecordedSession, DialoguePort {
  readonly connection: number;
  readonly transcript: string[] = [];
  readonly commands: string[] = [];
  messages = 0;
  open = true;
  pipelined = false;
  readonly #context: SmtpSessionContext;
  readonly #wire: SmtpWire;
  readonly #dialogue: SmtpDialogue;
  readonly #counts = new Map<Stage, number>();
  #input: Buffer = NOTHING;
  #body: BodyReader | undefined;
  /** Whether the client has begun a body, and whether something was said to it before its end. */
  #bodyBegun = false;
  #spokeInBody = false;
  /** What a stall holds up. */
  #resume: (() => void) | undefined;

  constructor(socket: Socket, context: SmtpSessionContext) {
    this.connection = context.connection;
    this.#context = context;
    this.#wire = new SmtpWire(socket, context.options, {
      bytes: (chunk) => {
        this.#input = this.#input.length === 0 ? chunk : Buffer.concat([this.#input, chunk]);
        this.#pump();
      },
      closed: () => {
        this.open = false;
        this.#resume = undefined;
        context.changed();
      },
    });
    this.#dialogue = new SmtpDialogue(this, context.options);
  }

  get secure(): boolean {
    return this.#wire.secure;
  }

  get stalled(): boolean {
    return this.#resume !== undefined;
  }

  /** Whether it is open and waits for a new transaction. */
  get idle(): boolean {
    return this.open && !this.#wire.over && !this.stalled && this.#input.length === 0 && this.#dialogue.idle;
  }

  begin(): void {
    const { secure, secureContext } = this.#context.options;
    const greet = (): void => {
      this.#dialogue.greet();
      this.#pump();
    };
    const connected = secure ? (): void => this.#wire.encrypt(secureContext, greet) : greet;
    this.stage('connect', {}, connected, connected);
    this.#pump();
  }

  stage(stage: Stage, said: { line?: string; recipient?: string }, usual: () => void, accepted: () => void): void {
    if (stage === 'mail') this.#counts.delete('rcpt');
    const nth = (this.#counts.get(stage) ?? 0) + 1;
    this.#counts.set(stage, nth);
    const { script, connection } = this.#context;
    const message = this.messages - (stage === 'final-reply' ? 1 : 0);
    const directive = this.#ask(() => script?.at({ stage, connection, nth, message, line: '', ...said }));
    if (this.#wire.over) return;
    const action = directive?.action;
    if (!action || (directive.accepts && action.do === 'reply' && action.text === '')) return usual();
    if (this.#perform(action, stage, usual)) accepted();
  }

  reply(code: number, text: string): void {
    const lines = formatReply(code, text);
    // eslint-disable-next-line no-control-regex
    this.#say(/[^\u0000-\u007f]/.test(lines) ? Buffer.from(lines).toString('latin1') : lines);
  }

  readBody(): void {
    this.#body = new BodyReader(this.#context.options.keep);
    this.#bodyBegun = false;
    this.#spokeInBody = false;
  }

  startTls(): void {
    // Commands slipped in behind STARTTLS must not be taken as said under TLS (RFC 3207 6).
    this.#input = NOTHING;
    this.#wire.encrypt(this.#context.options.secureContext, () => this.#context.changed());
  }

  hangUp(): void {
    this.#wire.hangUp();
  }

  received(message: RecordedMessage): void {
    this.messages += 1;
    this.#context.received(message);
  }

  accepted(message: RecordedMessage): void {
    this.#context.accepted(message);
  }

  /** Goes on after a stall. */
  release(): void {
    const resume = this.#resume;
    this.#resume = undefined;
    this.#wire.resume();
    resume?.();
    this.#pump();
  }

  /** Acts without being asked, and then hangs up. */
  interrupt(action: Action): void {
    this.#perform(action, 'mail', () => undefined);
    if (!this.#wire.over && !this.stalled) this.hangUp();
    this.#wire.flush();
  }

  destroy(): void {
    this.#wire.destroy();
  }

  /** A script's function that throws must fail its test, not the process: the connection ends, and the server says why when asked. */
  #ask<T>(question: () => T): T | undefined {
    try {
      return question();
    } catch (error) {
      this.#context.failed(error);
      this.#wire.reset();
      return undefined;
    }
  }

  /** Answers whether something was said that lets the client go on. */
  #perform(action: Action, stage: Stage, usual: () => void): boolean {
    const code = performAction(action, stage, {
      wire: this.#wire,
      reply: (code, text) => this.reply(code, text),
      say: (bytes) => this.#say(bytes),
      stall: () => this.#stall(stage, usual),
    });
    if (code === undefined) return false;
    if (stage === 'body') this.#spokeInBody = true;
    return code >= 200 && code <= (stage === 'data' ? 399 : 299);
  }

  #stall(stage: Stage, usual: () => void): void {
    this.#resume = usual;
    // Elsewhere it goes on reading, so that a client's leaving is noticed.
    if (stage === 'body') this.#wire.pause();
  }

  #say(bytes: string): void {
    if (this.#context.options.keep)
      for (const line of bytes.split('\r\n')) if (line !== '') this.transcript.push(`S: ${line}`);
    this.#wire.say(bytes);
  }

  /** Works off what came in, in order, and sends the replies together. */
  #pump(): void {
    while (!this.#wire.over && !this.stalled && this.#input.length > 0) {
      if (this.#body) this.#readBody(this.#body);
      else if (!this.#readCommand()) break;
    }
    this.#wire.flush();
    this.#context.changed();
  }

  /** Answers false where a whole line is not there yet. */
  #readCommand(): boolean {
    const end = this.#input.indexOf('\r\n');
    if (end < 0) return false;
    const line = this.#input.toString('utf8', 0, end);
    this.#input = this.#input.subarray(end + 2);
    this.pipelined ||= this.#input.length > 0;
    if (this.#context.options.keep) {
      this.commands.push(line);
      this.transcript.push(`C: ${line}`);
    }
    this.#dialogue.command(line);
    return true;
  }

  #readBody(body: BodyReader): void {
    if (!this.#bodyBegun) {
      this.#bodyBegun = true;
      this.stage(
        'body',
        {},
        () => undefined,
        () => undefined,
      );
      if (this.#wire.over || this.stalled) return;
    }
    const rest = body.push(this.#input);
    this.#input = rest ?? NOTHING;
    if (!rest) return;
    this.#body = undefined;
    this.pipelined ||= rest.length > 0;
    if (this.#context.options.keep) this.transcript.push(`C: (${String(body.received)} bytes)`);
    this.#dialogue.bodyEnded(body.message(), body.received, this.#spokeInBody);
  }
}
