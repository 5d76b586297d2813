/**
 * The notation in which tests say what a mail server does, for the scripted transport and for the
 * server on a socket alike: a line that works in one means the same in the other.
 *
 *     ACTION[@STAGE[(WHICH)]] [TEXT]
 *
 *     250 2.0.0 queued              accepts everything; the text answers the final dot
 *     421 busy                      a bare 4xx or 5xx code: the greeting
 *     450@rcpt(u1@example.com) ...  for that recipient; (@example.com) for its domain
 *     452@rcpt(3+) 4.5.3 too many   from the third RCPT of a message on; (3) for the third alone
 *     502@ehlo(1) no EHLO           the first EHLO or HELO of a session; the second is accepted
 *     refused                       nobody listens
 *     close@data, reset@body        FIN or RST in place of the reply
 *     lost@connect ETIMEDOUT late   no usable reply; the code that a client reports
 *     stall@mail                    silence until released
 *     raw@mail 250 o                these bytes (Latin-1) and nothing else, no line end added
 *     flood@ehlo 250-again          this line again and again, as fast as it is read
 *
 * A line feed in the text begins a continuation line: `431@greeting mail ESMTP\nMail system full`.
 */
import { suggestion } from '../core/check-options.js';

/** Where in a session a script may act. `body` is after the 354 and before the final dot. */
export type Stage =
  'connect' | 'greeting' | 'ehlo' | 'starttls' | 'auth' | 'mail' | 'rcpt' | 'data' | 'body' | 'final-reply';

/** All stages, in the order of a session. */
export const STAGES: readonly Stage[] = Object.freeze([
  'connect',
  'greeting',
  'ehlo',
  'starttls',
  'auth',
  'mail',
  'rcpt',
  'data',
  'body',
  'final-reply',
]);

/** What happens in place of the usual reply. */
export type Action =
  | { readonly do: 'reply'; readonly code: number; readonly text: string }
  | { readonly do: 'refuse' | 'close' | 'reset' | 'stall' }
  | { readonly do: 'lost'; readonly code: string; readonly message: string }
  | { readonly do: 'raw' | 'flood'; readonly text: string };

/** Which of the commands of a stage a line is for: from the `from`th to the `to`th, or the RCPT of one address or domain. */
export type Which = { readonly from: number; readonly to: number } | { readonly recipient: string };

/** One line, read. */
export interface Directive {
  readonly line: string;
  readonly stage: Stage;
  readonly action: Action;
  readonly which?: Which;
  /** A bare 2xx code, which says no more than that the server accepts. */
  readonly accepts?: true;
}

/** What the words mean, for people who read an error message. */
const EXPECTED = `expected ACTION[@STAGE[(WHICH)]] [TEXT], with an action of: a reply code, refused, close, reset, lost, stall, raw, flood; and a stage of: ${STAGES.join(', ')}`;

const LINE = /^(\d{3}|[a-z]+)(?:@([a-z-]+)(?:\(([^)]*)\))?)?(?: ([\s\S]*))?$/;

/**
 * Reads one line. `here` is the stage that a line without one is for; by default a bare code
 * stands at the greeting.
 *
 * @throws {TypeError} naming the line and what was expected.
 */
export function parseScriptLine(line: string, here?: Stage): Directive {
  const wrong = (why: string): TypeError => new TypeError(`script line ${JSON.stringify(line)}: ${why}`);
  const [, word = '', stageWord, whichWord, text = ''] = (typeof line === 'string' && LINE.exec(line)) || [];
  if (word === '') throw wrong(EXPECTED);
  const action = parseAction(word, text);
  if (!action) throw wrong(`unknown action ${JSON.stringify(word)}; ${EXPECTED}`);

  const accepts = action.do === 'reply' && stageWord === undefined && word.startsWith('2');
  const stage = stageWord ?? (accepts ? 'final-reply' : bareStage(action, here));
  if (stage === undefined) throw wrong(`at which stage? For example ${word}@mail`);
  if (!isStage(stage)) throw wrong(`unknown stage ${JSON.stringify(stage)}${suggestion(stage, STAGES)}; ${EXPECTED}`);
  if (stage === 'connect' && !['refuse', 'close', 'reset', 'lost', 'stall'].includes(action.do))
    throw wrong('nothing is said at connect; the first words of a server are its greeting');
  if (action.do === 'refuse' && stage !== 'connect') throw wrong('only a connection can be refused');
  if (accepts) return { line, stage, action, accepts: true };
  if (whichWord === undefined) return { line, stage, action };

  const which = parseWhich(whichWord);
  if (!which) throw wrong(`in parentheses: a number as 3, a number and later as 3+, an address or @domain`);
  if ('recipient' in which && stage !== 'rcpt') throw wrong('only rcpt can be for a recipient');
  return { line, stage, action, which };
}

function parseAction(word: string, text: string): Action | undefined {
  if (/^[2-5]\d\d$/.test(word)) return { do: 'reply', code: Number(word), text };
  switch (word) {
    case 'refused':
      return { do: 'refuse' };
    case 'close':
    case 'reset':
    case 'stall':
      return { do: word };
    case 'lost': {
      const [, code = 'ECONNECTION', message = ''] = /^(E[A-Z0-9_]+)?\s*([\s\S]*)$/.exec(text) ?? [];
      return { do: 'lost', code, message };
    }
    case 'raw':
    case 'flood':
      return { do: word, text };
    default:
      return undefined;
  }
}

/** A bare 3xx has no stage of its own; `refused` can be nowhere but at connect. */
function bareStage(action: Action, here: Stage | undefined): Stage | undefined {
  if (action.do === 'refuse') return 'connect';
  if (here !== undefined) return here;
  return action.do === 'reply' && action.code >= 400 ? 'greeting' : undefined;
}

function isStage(word: string): word is Stage {
  return (STAGES as readonly string[]).includes(word);
}

function parseWhich(word: string): Which | undefined {
  if (word.includes('@')) return { recipient: word };
  const [, from, more] = /^([1-9]\d*)(\+?)$/.exec(word) ?? [];
  return from === undefined ? undefined : { from: Number(from), to: more === '+' ? Infinity : Number(from) };
}
