/**
 * Which line of a script acts at a given moment, and which lines were never used. A test whose
 * script holds more than happened proves less than it says, so the remainder can be asked for.
 */
import { parseScriptLine } from './script.js';
import type { Directive, Stage } from './script.js';

/** A moment in a session, as a script's function sees it. All numbers count from 1, `message` from 0. */
export interface ScriptMoment {
  readonly stage: Stage;
  /** The connection to this server, or the attempt at this relay. */
  readonly connection: number;
  /** For `rcpt`, the how-manieth recipient of this message; else the how-manieth command of this stage in this session. */
  readonly nth: number;
  /** Messages whose final dot was seen earlier in this session. */
  readonly message: number;
  /** The recipient, at `rcpt`. */
  readonly recipient?: string;
  /** The command as the client wrote it; empty where none was (`connect`, `greeting`, `body`, `final-reply`). */
  readonly line: string;
}

/** What one session follows. At each moment the first line that fits acts; where none fits, the server accepts. */
export type SessionLines = string | readonly string[];

/**
 * What a server does: the same in every session, in one line or in several; or one entry for each
 * session, in order; or a function that is asked at each moment. In what the function returns, a line without a stage is for
 * that moment (a bare 2xx still means "accept"), and a line for another stage is left aside.
 */
export type Script =
  | string
  | { readonly always: readonly string[] }
  | readonly SessionLines[]
  | ((at: ScriptMoment) => string | undefined);

/** The lines of one session. */
export class ScriptedSession {
  readonly #directives: readonly Directive[];
  readonly #ask: ((at: ScriptMoment) => string | undefined) | undefined;
  readonly #used = new Set<Directive>();

  constructor(directives: readonly Directive[], ask?: (at: ScriptMoment) => string | undefined) {
    this.#directives = directives;
    this.#ask = ask;
  }

  /** The line that acts now, if any. It counts as used from here on. */
  at(moment: ScriptMoment): Directive | undefined {
    const candidates = this.#ask ? this.#answer(this.#ask, moment) : this.#directives;
    const found = candidates.find((directive) => fits(directive, moment));
    if (found) this.#used.add(found);
    return found;
  }

  #answer(ask: (at: ScriptMoment) => string | undefined, moment: ScriptMoment): readonly Directive[] {
    const line = ask(moment);
    return line === undefined ? [] : [parseScriptLine(line, moment.stage)];
  }

  /** The lines that never acted. One that merely accepts is not missed: a refusal before it may have taken its turn. */
  unused(): readonly string[] {
    return this.#directives.filter((one) => !one.accepts && !this.#used.has(one)).map(({ line }) => line);
  }
}

function fits({ stage, which }: Directive, moment: ScriptMoment): boolean {
  if (stage !== moment.stage) return false;
  if (!which) return true;
  if ('from' in which) return moment.nth >= which.from && moment.nth <= which.to;
  const recipient = moment.recipient ?? '';
  return which.recipient.startsWith('@') ? recipient.endsWith(which.recipient) : recipient === which.recipient;
}

function linesOfAll(script: Script): readonly string[] {
  if (typeof script === 'string') return [script];
  return typeof script === 'object' && 'always' in script ? script.always : [];
}

/** `Array.isArray` does not narrow readonly arrays. */
function isList(script: Script): script is readonly SessionLines[] {
  return Array.isArray(script);
}

/** The sessions of one server or relay, in the order they begin. */
export class ScriptedSessions {
  readonly #entries: readonly (readonly Directive[])[] | undefined;
  readonly #always: readonly Directive[];
  readonly #ask: ((at: ScriptMoment) => string | undefined) | undefined;
  readonly #begun: ScriptedSession[] = [];

  /** @throws {TypeError} for a line that says nothing known. */
  constructor(script: Script) {
    this.#ask = typeof script === 'function' ? script : undefined;
    this.#always = linesOfAll(script).map((line) => parseScriptLine(line));
    this.#entries = isList(script)
      ? script.map((lines) => (typeof lines === 'string' ? [lines] : lines).map((line) => parseScriptLine(line)))
      : undefined;
  }

  /** Whether no session ever gets a connection. */
  get alwaysRefused(): boolean {
    return this.#always.some(({ action }) => action.do === 'refuse');
  }

  /** The next session; undefined if the script has an entry for each session and all are taken. */
  next(): ScriptedSession | undefined {
    if (!this.#entries) return new ScriptedSession(this.#always, this.#ask);
    const directives = this.#entries[this.#begun.length];
    if (!directives) return undefined;
    const session = new ScriptedSession(directives);
    this.#begun.push(session);
    return session;
  }

  /** The lines that never acted. Only a script with an entry for each session can have some. */
  unused(): readonly string[] {
    const later = (this.#entries ?? []).slice(this.#begun.length).flat();
    return [...this.#begun.flatMap((session) => session.unused()), ...later.map(({ line }) => line)];
  }
}
