/**
 * The ways to send that are raced, each as an app would write it. They run in a worker process.
 */
import { createTransport, type SendMailOptions } from 'nodemailer';
import { Deliverer, defineRoutes, type Attempt, type DeliveryOutcome } from '../../src/index.js';
import { dnsLookup } from '../../src/dns/index.js';
import { nodemailerTransport, RoutedTransport } from '../../src/nodemailer/index.js';
import { durable } from './queue-peer.js';
import { SMTPConnection } from '../../src/nodemailer/smtp-connection.js';
import type { BenchMail } from './mail.js';

export type PeerName =
  | 'Deliverer'
  | 'Deliverer to MX'
  | 'RoutedTransport'
  | 'sqliteQueue'
  | 'SMTPPool'
  | 'SMTPPool composed'
  | 'SMTPConnection'
  | 'try/catch';

export interface PeerSettings {
  readonly peer: PeerName;
  /** The hosts, the preferred one first. */
  readonly ports: readonly number[];
  readonly connections: number;
  /** Connection and greeting time-outs, in milliseconds. */
  readonly timeoutMs?: number;
  /** Connections are kept for the next message. Default true. */
  readonly pool?: boolean;
  /** The name server, for those that ask one: every domain's exchange is 127.0.0.1. */
  readonly dns?: string;
  /** How long a failed relay goes behind the others. */
  readonly cooling?: { readonly initialMs: number; readonly maxMs: number };
}

/** What became of the tries at the first of two hosts, and which host took the mail. */
export interface Tally {
  /** Failed tries that began before the first of them had failed. */
  burst: number;
  /** Failed tries after that. */
  later: number;
  /** Deliveries that took over the result of another one's try. */
  shared: number;
  /** The longest failed try. */
  slowestMs: number;
  /** Messages that each host took. */
  readonly delivered: number[];
}

export interface Peer {
  /** Rejects unless every recipient was delivered. */
  send(mail: BenchMail): Promise<void>;
  readonly tally: Tally;
  close(): Promise<void> | void;
}

/** No connection is given up for its age. */
const MAX_MESSAGES = 1_000_000;

export async function openPeer(settings: PeerSettings): Promise<Peer> {
  switch (settings.peer) {
    case 'Deliverer':
    case 'Deliverer to MX':
      return deliverer(settings);
    case 'sqliteQueue':
      return durable(settings.ports[0]!, settings);
    case 'SMTPPool':
      return smtpPool(settings);
    case 'SMTPPool composed':
      return composing(settings, pooled(settings.ports[0]!, settings));
    case 'RoutedTransport':
      return composing(settings, routed(settings));
    case 'SMTPConnection':
      return bareConnections(settings);
    case 'try/catch':
      return tryCatch(settings);
    default:
      return settings.peer satisfies never;
  }
}

function newTally({ ports }: PeerSettings): Tally {
  return { burst: 0, later: 0, shared: 0, slowestMs: 0, delivered: ports.map(() => 0) };
}

function deliverer(settings: PeerSettings): Peer {
  const { peer, ports, connections, timeoutMs, cooling, dns, pool = true } = settings;
  const toMx = peer === 'Deliverer to MX';
  const ids = ports.map((_, i) => `host${String(i)}`);
  const routes = defineRoutes({
    relays: Object.fromEntries(ports.map((port, i) => [`host${String(i)}`, { host: '127.0.0.1', port }])),
    routes: toMx ? [] : [{ match: 'ALL', tiers: ids.map((id) => [id]) }],
  });
  const transport = nodemailerTransport({
    pool,
    maxConnections: connections,
    maxMessages: MAX_MESSAGES,
    ...(timeoutMs !== undefined && { connectionTimeout: timeoutMs, greetingTimeout: timeoutMs }),
  });
  const instance = new Deliverer({
    routes,
    transport,
    ...(cooling && { cooling }),
    ...(dns !== undefined && {
      dns: dnsLookup({ servers: [dns], timeoutMs: 10_000, allowPrivateAddresses: true }),
      mx: { port: ports[0]! },
    }),
  });
  const tally = newTally(settings);
  let firstFailedAt = Infinity;

  function count({ startedAt, endedAt, shared }: Attempt): void {
    if (shared) tally.shared++;
    else if (startedAt <= firstFailedAt) tally.burst++;
    else tally.later++;
    firstFailedAt = Math.min(firstFailedAt, endedAt);
    tally.slowestMs = Math.max(tally.slowestMs, endedAt - startedAt);
  }

  function check(outcome: DeliveryOutcome): void {
    for (const recipient of outcome.recipients) {
      if (recipient.status !== 'delivered') throw new Error(`not delivered: ${JSON.stringify(recipient)}`);
    }
    for (const attempt of outcome.attempts) {
      if (attempt.failure) count(attempt);
      else tally.delivered[Math.max(0, ids.indexOf(attempt.relay))]!++;
    }
  }

  return {
    tally,
    send: async ({ from, to, message }) => {
      check(await instance.deliver({ envelope: { from, to }, message }));
    },
    close: () => instance.close(),
  };
}

function pooled(port: number, { connections, timeoutMs }: PeerSettings): ReturnType<typeof createTransport> {
  return createTransport({
    host: '127.0.0.1',
    port,
    pool: true,
    maxConnections: connections,
    maxMessages: MAX_MESSAGES,
    ...(timeoutMs !== undefined && { connectionTimeout: timeoutMs, greetingTimeout: timeoutMs }),
  });
}

/** The transporter of an app that changed one argument, with the same options as the pool. */
function routed({ ports: [port = 0], connections }: PeerSettings): Composing {
  const relay = { host: '127.0.0.1', port, pool: true, maxConnections: connections, maxMessages: MAX_MESSAGES };
  const routes = defineRoutes({ relays: { relay }, routes: [{ match: 'ALL', tiers: [['relay']] }] });
  return createTransport(new RoutedTransport({ routes }));
}

interface Composing {
  sendMail(mail: SendMailOptions): Promise<{ readonly rejected: readonly string[] }>;
  close(): void;
}

/** Messages as an app sends them: parts, which the transporter composes. */
function composing(settings: PeerSettings, transporter: Composing): Peer {
  return {
    tally: newTally(settings),
    send: async ({ from, to, message }) => {
      const text = message.toString('latin1');
      const { rejected } = await transporter.sendMail({ from, to: [...to], subject: 'bench', text });
      if (rejected.length > 0) throw new Error(`rejected: ${rejected.join(', ')}`);
    },
    close: () => {
      transporter.close();
    },
  };
}

async function sendPooled(
  transporter: ReturnType<typeof createTransport>,
  { from, to, message }: BenchMail,
): Promise<void> {
  const { rejected } = await transporter.sendMail({ envelope: { from, to: [...to] }, raw: message });
  if (rejected.length > 0) throw new Error('a recipient was rejected');
}

function smtpPool(settings: PeerSettings): Peer {
  const transporter = pooled(settings.ports[0]!, settings);
  return {
    tally: newTally(settings),
    send: (mail) => sendPooled(transporter, mail),
    close: () => {
      transporter.close();
    },
  };
}

/** nodemailer's connection alone, given a Buffer: fast, and unable to tell how far a lost message got. */
async function bareConnections(settings: PeerSettings): Promise<Peer> {
  const { ports, connections } = settings;
  const idle = await Promise.all(
    Array.from({ length: connections }, async () => {
      const connection = new SMTPConnection({ host: '127.0.0.1', port: ports[0]! });
      await new Promise<void>((resolve, reject) => {
        connection.once('error', reject);
        connection.connect(() => resolve());
      });
      return connection;
    }),
  );
  return {
    tally: newTally(settings),
    send: async ({ from, to, message }) => {
      const connection = idle.pop();
      if (!connection) throw new Error('more sends than connections');
      await new Promise<void>((resolve, reject) => {
        connection.send({ from, to: [...to] }, message, (error) => {
          if (error) reject(error);
          else resolve();
        });
      });
      idle.push(connection);
    },
    close: () => {
      for (const connection of idle) connection.close();
    },
  };
}

/** Failover as one writes it without a library. */
function tryCatch(settings: PeerSettings): Peer {
  const [first, second] = settings.ports.map((port) => pooled(port, settings));
  const tally = newTally(settings);
  return {
    tally,
    send: async (mail) => {
      const startedAt = performance.now();
      try {
        await sendPooled(first!, mail);
        tally.delivered[0]!++;
      } catch {
        tally.burst++;
        tally.slowestMs = Math.max(tally.slowestMs, performance.now() - startedAt);
        await sendPooled(second!, mail);
        tally.delivered[1]!++;
      }
    },
    close: () => {
      first?.close();
      second?.close();
    },
  };
}
