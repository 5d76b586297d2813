/**
 * An SMTP server that refuses, defers, drops and forgets at random, and knows exactly which message
 * it has said 250 to, and when. Messages are known by their X-Id field.
 */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export interface Accepted {
  readonly id: string;
  /** Of which message this is the bounce. */
  readonly bounceOf?: string;
  /** Who brought it, by its EHLO. */
  readonly by: string;
  /** When, by `performance.now()`. */
  readonly ms: number;
  /** The order of events: of acceptances, and of whatever else asks for a number. */
  readonly at: number;
}

export interface UnreliableServer {
  readonly port: number;
  readonly accepted: readonly Accepted[];
  /** Messages received whole, and then the connection was dropped in place of the 250. */
  readonly swallowed: number;
  readonly faults: number;
  /** From now on everything is accepted. */
  recover(): void;
  close(): Promise<void>;
}

type Fault = 'greeting' | 'mail' | 'rcpt' | 'reject' | 'data' | 'drop' | 'swallow';

const FAULTS: readonly Fault[] = ['greeting', 'mail', 'rcpt', 'reject', 'data', 'drop', 'swallow'];

/**
 * @param next numbers events in the order in which they happen
 * @param faultRate of connections and transactions, how many go wrong
 */
export async function startUnreliableServer(
  random: () => number,
  next: () => number,
  faultRate: number,
): Promise<UnreliableServer> {
  const accepted: Accepted[] = [];
  const sockets = new Set<Socket>();
  const count = { swallowed: 0, faults: 0 };
  let faulty = true;

  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    const fault = (): Fault | undefined => {
      if (!faulty || random() > faultRate) return undefined;
      count.faults++;
      return FAULTS[Math.floor(random() * FAULTS.length)];
    };
    let now = fault();
    let body: string | undefined;
    let text = '';
    let recipients = 0;
    let by = '';
    const say = (line: string): unknown => socket.write(`${line}\r\n`);
    say(now === 'greeting' ? '421 busy' : '220 unreliable ESMTP');
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
      for (let end = text.indexOf('\r\n'); end >= 0; end = text.indexOf('\r\n')) {
        const line = text.slice(0, end);
        text = text.slice(end + 2);
        if (body === undefined) command(line);
        else if (line === '.') dot(body);
        else body += `${line}\r\n`;
      }
    });

    function command(line: string): void {
      const verb = line.slice(0, 4).toUpperCase();
      if (verb === 'EHLO') {
        by = line.slice(5).trim();
        say('250-unreliable\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES');
      } else if (verb === 'MAIL') say(now === 'mail' ? '451 4.3.0 not now' : '250 2.1.0 ok');
      else if (verb === 'RCPT') {
        const isBounce = line.includes('bounces@');
        if (now === 'rcpt') say('450 4.2.0 later');
        else if (now === 'reject' && !isBounce) say('550 5.1.1 no such user');
        else if (now !== 'mail') {
          recipients++;
          say('250 2.1.5 ok');
        } else say('503 5.5.1 no sender');
      } else if (verb === 'DATA') {
        if (recipients === 0) say('503 5.5.1 no recipients');
        else if (now === 'data') say('451 4.3.0 not now');
        else if (now === 'drop') socket.destroy();
        else {
          body = '';
          say('354 go on');
        }
      } else if (verb === 'QUIT') {
        say('221 bye');
        socket.end();
      } else say('250 ok');
      if (verb === 'RSET') now = fault();
      if (verb === 'RSET' || verb === 'MAIL') recipients = 0;
    }

    function dot(message: string): void {
      body = undefined;
      if (now === 'swallow') {
        count.swallowed++;
        socket.destroy();
        return;
      }
      const id = /^X-Id: (.*)$/m.exec(message)?.[1]?.trim() ?? '';
      const bounceOf = /^X-Bounce-Of: (.*)$/m.exec(message)?.[1]?.trim();
      accepted.push({ id, by, at: next(), ms: performance.now(), ...(bounceOf !== undefined && { bounceOf }) });
      say('250 2.0.0 queued');
      now = fault();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    accepted,
    get swallowed() {
      return count.swallowed;
    },
    get faults() {
      return count.faults;
    },
    recover: () => {
      faulty = false;
    },
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
