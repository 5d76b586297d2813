/**
 * A DNS server on a loopback port, UDP and TCP, that answers from a zone and misbehaves where the
 * zone says so.
 */
import { createSocket } from 'node:dgram';
import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:net';
import * as dnsPacket from 'dns-packet';

/** What is known of a name. A name with no entry does not exist. */
export interface Entry {
  /** Preference and exchange; `.` for a null MX. */
  readonly mx?: readonly (readonly [number, string])[];
  readonly a?: readonly string[];
  readonly aaaa?: readonly string[];
  readonly cname?: string;
  /** In seconds. Default 300. */
  readonly ttl?: number;
  /** Answers to queries of that type, or all: a code, or nothing at all. */
  readonly fails?: Rcode | 'silent' | { readonly [type in QueryType]?: Rcode | 'silent' };
  readonly delayMs?: number;
  /** Over UDP: a truncated answer, an answer to another query, or bytes that are no message. */
  readonly udp?: 'truncated' | 'wrong-id' | 'wrong-question' | 'garbage';
}

export type Rcode = 'SERVFAIL' | 'REFUSED' | 'NXDOMAIN' | 'FORMERR' | 'NOTIMP';
export type QueryType = 'MX' | 'A' | 'AAAA' | 'CNAME';
/** An array is one entry for each query of a type, the last one for the rest. */
export type Zone = Readonly<Record<string, Entry | readonly Entry[]>>;

export interface DnsServerOptions {
  readonly delayMs?: number;
  /** Answers with an alias alone, as a server does that does not resolve. */
  readonly bareAliases?: boolean;
}

const RCODES: Readonly<Record<Rcode, number>> = { FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 };

export class DnsServer implements AsyncDisposable {
  /** `MX example.com`, in order. */
  readonly queries: string[] = [];
  /** The most queries that were waiting for an answer at once. */
  mostAtOnce = 0;
  readonly #options: DnsServerOptions;
  readonly #zone = new Map<string, Entry | readonly Entry[]>();
  readonly #asked = new Map<string, number>();
  readonly #udp = createSocket('udp4');
  readonly #tcp = createServer((socket) => this.#serve(socket));
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #now = 0;

  private constructor(zone: Zone, options: DnsServerOptions) {
    this.#options = options;
    this.add(zone);
  }

  static async start(zone: Zone = {}, options: DnsServerOptions = {}): Promise<DnsServer> {
    // The port that is free over TCP may be taken over UDP.
    for (let tries = 0; ; tries++) {
      const server = new DnsServer(zone, options);
      try {
        await server.#listen();
        return server;
      } catch (error) {
        await server.close();
        if (tries === 5) throw error;
      }
    }
  }

  /** For `dnsLookup({ servers: [address] })`. */
  get address(): string {
    return `127.0.0.1:${String((this.#tcp.address() as AddressInfo).port)}`;
  }

  add(zone: Zone): void {
    for (const [name, entry] of Object.entries(zone)) this.#zone.set(name.toLowerCase(), entry);
  }

  /** How often a query was put. */
  asked(query: string): number {
    return this.queries.filter((one) => one === query).length;
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all([
      new Promise<void>((resolve) => this.#tcp.close(() => resolve())),
      new Promise<void>((resolve) => this.#udp.close(() => resolve())),
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#tcp.once('error', reject);
      this.#tcp.listen(0, '127.0.0.1', resolve);
    });
    const { port } = this.#tcp.address() as AddressInfo;
    this.#udp.on('message', (message, from) => {
      const answered = this.#answer(message, 'udp', (answer) => this.#udp.send(answer, from.port, from.address));
      if (!answered) this.#udp.send(Buffer.from('nonsense'), from.port, from.address);
    });
    await new Promise<void>((resolve, reject) => {
      this.#udp.once('error', reject);
      this.#udp.bind(port, '127.0.0.1', resolve);
    });
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => this.#sockets.delete(socket));
    let read = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      read = Buffer.concat([read, chunk]);
      while (read.length >= 2 && read.length >= 2 + read.readUInt16BE(0)) {
        const message = read.subarray(2, 2 + read.readUInt16BE(0));
        read = read.subarray(2 + message.length);
        this.#answer(message, 'tcp', (answer) => {
          const length = Buffer.alloc(2);
          length.writeUInt16BE(answer.length);
          socket.write(Buffer.concat([length, answer]));
        });
      }
    });
  }

  /** False if the zone wants nonsense in place of an answer. */
  #answer(message: Buffer, over: 'udp' | 'tcp', send: (answer: Buffer) => void): boolean {
    const query = dnsPacket.decode(message);
    const question = query.questions?.[0];
    if (!question) return true;
    const type = question.type as QueryType;
    const name = question.name.toLowerCase();
    this.queries.push(`${type} ${name}`);
    const entry = this.#entryFor(type, name);
    const fails = typeof entry?.fails === 'object' ? entry.fails[type] : entry?.fails;
    if (fails === 'silent') return true;
    const twist = over === 'udp' ? entry?.udp : undefined;
    if (twist === 'garbage') return false;
    const answers = fails === undefined ? this.#records(name, type) : [];
    const rcode = RCODES[fails ?? 'NXDOMAIN'] * (fails !== undefined || !entry ? 1 : 0);
    let packet = dnsPacket.encode({
      type: 'response',
      id: twist === 'wrong-id' ? ((query.id ?? 0) + 1) % 65_536 : query.id,
      flags: dnsPacket.RECURSION_DESIRED | dnsPacket.RECURSION_AVAILABLE | rcode,
      questions: twist === 'wrong-question' ? [{ ...question, name: 'other.example' }] : [question],
      answers,
    });
    if (over === 'udp' && (twist === 'truncated' || packet.length > 1232)) {
      const flags = dnsPacket.RECURSION_DESIRED | dnsPacket.RECURSION_AVAILABLE | dnsPacket.TRUNCATED_RESPONSE;
      packet = dnsPacket.encode({ type: 'response', id: query.id, flags, questions: [question] });
    }
    this.#sendLater(entry?.delayMs ?? this.#options.delayMs ?? 0, () => send(packet));
    return true;
  }

  #sendLater(delayMs: number, send: () => void): void {
    if (delayMs === 0) {
      send();
      return;
    }
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#now);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#now--;
      send();
    }, delayMs);
    this.#timers.add(timer);
  }

  #entryFor(type: QueryType, name: string): Entry | undefined {
    const entry = this.#zone.get(name);
    if (!isSequence(entry)) return entry;
    const key = `${type} ${name}`;
    const turn = this.#asked.get(key) ?? 0;
    this.#asked.set(key, turn + 1);
    return entry[Math.min(turn, entry.length - 1)];
  }

  #records(name: string, type: QueryType, depth = 0): dnsPacket.Answer[] {
    const known = this.#zone.get(name);
    const entry = isSequence(known) ? known.at(-1) : known;
    if (!entry) return [];
    const { ttl = 300, cname } = entry;
    if (cname !== undefined) {
      const alias: dnsPacket.Answer = { type: 'CNAME', name, ttl, data: cname };
      if (type === 'CNAME' || this.#options.bareAliases === true || depth > 20) return [alias];
      return [alias, ...this.#records(cname, type, depth + 1)];
    }
    switch (type) {
      case 'MX':
        return (entry.mx ?? []).map(([preference, exchange]) => {
          return { type, name, ttl, data: { preference, exchange } };
        });
      case 'A':
        return (entry.a ?? []).map((data) => ({ type, name, ttl, data }));
      case 'AAAA':
        return (entry.aaaa ?? []).map((data) => ({ type, name, ttl, data }));
      case 'CNAME':
        return [];
      default:
        return [];
    }
  }
}

function isSequence(entry: Entry | readonly Entry[] | undefined): entry is readonly Entry[] {
  return Array.isArray(entry);
}
