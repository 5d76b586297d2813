/**
 * What each action of a script does on a real connection: the counterpart of what the scripted
 * transport reports for it. The two must agree, or a script means one thing in a unit test and another
 * over a socket.
 */
import { isClosingCode } from '../core/classify.js';
import type { Action, Stage } from './script.js';
import type { SmtpWire } from './smtp-wire.js';

/** The parts of a session that an action may move. */
export interface ActionHands {
  readonly wire: SmtpWire;
  readonly reply: (code: number, text: string) => void;
  /** Bytes as Latin-1. */
  readonly say: (bytes: string) => void;
  readonly stall: () => void;
}

/** Performs an action. Answers the code that was said, 0 for one that cannot be read, undefined for silence. */
export function performAction(action: Action, stage: Stage, hands: ActionHands): number | undefined {
  switch (action.do) {
    case 'reply':
      hands.reply(action.code, action.text || 'scripted');
      if (isClosingCode(action.code)) hands.wire.hangUp();
      return action.code;
    case 'raw':
      hands.say(action.text);
      // Whoever writes the reply to STARTTLS by hand wants to see it in the clear, without the handshake.
      return stage === 'starttls' ? 0 : Number(/^\d{3}/.exec(action.text)?.[0] ?? 0);
    case 'flood':
      hands.wire.flood(`${action.text}\r\n`);
      return undefined;
    case 'close':
      hands.wire.hangUp();
      return undefined;
    case 'refuse':
    case 'reset':
      hands.wire.reset();
      return undefined;
    case 'stall':
      hands.stall();
      return undefined;
    case 'lost':
      return lose(action.code, stage, hands);
    default:
      return action satisfies never;
  }
}

/** Does what makes a client report `code`. Every loss without a way of its own looks like a server that hung up. */
function lose(code: string, stage: Stage, { wire, reply, say, stall }: ActionHands): number | undefined {
  if (code === 'ETLS' && stage === 'starttls') {
    reply(220, '2.0.0 go ahead');
    wire.spoilTls();
  } else if (code === 'EPROTOCOL') {
    say('nonsense\r\n');
    return 0;
  } else if (code === 'ETIMEDOUT') stall();
  else if (code === 'ECONNRESET' || code === 'ECONNREFUSED') wire.reset();
  else wire.hangUp();
  return undefined;
}
