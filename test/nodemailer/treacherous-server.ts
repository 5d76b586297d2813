/**
 * A small SMTP server that fails at a given byte or moment of a session, wherever that may be: in
 * the middle of a command, a reply, a dot. It remembers what no client can know: whether it saw
 * the end of the message, and what it has said about it.
 */
import type { Socket } from 'node:net';
import { startRawServer, type RawServer } from './raw-server.js';

export type Treachery = 'close' | 'reset' | 'destroy' | 'pause' | '421' | '450' | '554';

export interface Plan {
  readonly treachery: Treachery;
  /** After so many bytes from the client, or so many milliseconds, whichever is given. */
  readonly afterBytes?: number;
  readonly afterMs?: number;
  readonly pipelining: boolean;
}

/** What happened to one message. */
export interface Witness {
  /** The end of the message arrived. */
  sawDot: boolean;
  /** What was answered to it; undefined where nothing was. A refusal said earlier holds for it too. */
  said: number | undefined;
}

const END = '\r\n.\r\n';

export async function startTreacherousServer(plan: Plan): Promise<RawServer & { readonly witness: Witness }> {
  const witness: Witness = { sawDot: false, said: undefined };
  const server = await startRawServer((socket) => {
    serve(socket, plan, witness);
  });
  return { ...server, witness };
}

function serve(socket: Socket, plan: Plan, witness: Witness): void {
  let received = 0;
  let input = '';
  let inBody = false;
  let over = false;
  const say = (line: string): void => {
    if (socket.writable) socket.write(`${line}\r\n`);
  };
  const betray = (): void => {
    if (over) return;
    over = true;
    switch (plan.treachery) {
      case 'close':
        socket.end();
        break;
      case 'reset':
        socket.resetAndDestroy();
        break;
      case 'destroy':
        socket.destroy();
        break;
      case 'pause':
        socket.pause();
        break;
      default:
        witness.said ??= Number(plan.treachery);
        say(`${plan.treachery} 4.0.0 as the dice fell`);
        if (plan.treachery === '421') socket.end();
    }
  };
  if (plan.afterMs !== undefined) setTimeout(betray, plan.afterMs);

  socket.on('data', (chunk: Buffer) => {
    if (plan.afterBytes !== undefined && received + chunk.length > plan.afterBytes && !over) {
      // What came before the byte in question still counts.
      take(chunk.subarray(0, plan.afterBytes - received));
      betray();
    }
    received += chunk.length;
    if (!over) take(chunk);
  });

  function take(chunk: Buffer): void {
    input += chunk.toString('latin1');
    for (;;) {
      if (inBody) {
        const end = input.indexOf(END);
        if (end < 0) {
          input = input.slice(-4);
          return;
        }
        input = input.slice(end + END.length);
        inBody = false;
        witness.sawDot = true;
        witness.said ??= 250;
        say('250 2.0.0 queued');
      } else {
        const end = input.indexOf('\r\n');
        if (end < 0) return;
        const verb = input.slice(0, end).split(/[ :]/)[0]!.toUpperCase();
        input = input.slice(end + 2);
        if (verb === 'EHLO') say(plan.pipelining ? '250-x\r\n250 PIPELINING' : '250 x');
        else if (verb === 'DATA') {
          say('354 go');
          inBody = true;
        } else if (verb === 'QUIT') socket.end('221 bye\r\n');
        else say('250 ok');
      }
    }
  }
  say('220 hello');
}
