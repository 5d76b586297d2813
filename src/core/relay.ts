/**
 * A relay: one next hop, and how to speak to it. The settings, which may hold credentials, sit
 * behind a getter that neither JSON nor `util.inspect` follows.
 */

/**
 * How to speak SMTP to a host. Flat, with nodemailer's names and units (times in milliseconds);
 * every name in `SMTP_OPTION_NAMES` is passed through to nodemailer's connection.
 */
export interface SmtpVia {
  /** An address or name to connect to. */
  readonly host: string;
  /** 587, or 465 if `secure`; 25 in AsyncOS text. */
  readonly port?: number;
  /** `mx`: look up the exchanges of `host` first (needs `dns`). Default `address`. */
  readonly lookup?: 'address' | 'mx';
  /** Keep connections open for the next message. Default false. */
  readonly pool?: boolean;
  /** The most connections open to this relay at once. Default 5 with `pool`, else 20. */
  readonly maxConnections?: number;
  /** Messages a pooled connection carries before it is closed. Default 100. */
  readonly maxMessages?: number;
  /** How long a pooled connection may sit idle. Default 30,000 ms. */
  readonly idleMs?: number;
  readonly secure?: boolean;
  readonly ignoreTLS?: boolean;
  readonly requireTLS?: boolean;
  readonly opportunisticTLS?: boolean;
  readonly tls?: object;
  readonly servername?: string;
  readonly auth?: object;
  readonly authMethod?: string;
  readonly customAuth?: object;
  readonly name?: string;
  readonly localAddress?: string;
  readonly proxy?: string;
  /** Brings the socket to the relay, as nodemailer's option of that name. Where there is a `proxy`, that does. */
  readonly getSocket?: GetSocket;
  readonly connectionTimeout?: number;
  readonly greetingTimeout?: number;
  readonly socketTimeout?: number;
  readonly socketCloseTimeout?: number;
  readonly dnsTimeout?: number;
  readonly maxResponseSize?: number;
  readonly allowInternalNetworkInterfaces?: boolean;
  readonly logger?: unknown;
  readonly debug?: boolean;
  readonly transactionLog?: boolean;
}

/** Answers `{ connection: Socket }`, or nothing for a new socket; other options of a connection may stand beside it. */
export type GetSocket<Socket = unknown> = (
  options: object,
  callback: (error: Error | null, found?: { readonly connection?: Socket } | false) => void,
) => void;

/** A transport or transporter that the app already has. It is called, and never closed, by us. */
export interface TransportVia {
  readonly transport: object;
}

export type Via = SmtpVia | TransportVia;

/** Where DNS says that a host is: `host` is its name, which is also the one to verify. */
export interface RelayPlace {
  readonly host: string;
  readonly address: string;
}

/** A next hop with an id. `host` and `port` are empty and 0 for a wrapped transport. */
export class Relay {
  readonly id: string;
  /** What its health is kept under: the id, with the place where there is one. */
  readonly key: string;
  readonly host: string;
  readonly port: number;
  readonly lookup: 'address' | 'mx';
  /** What to connect to in place of `host`, which was looked up already. */
  readonly address: string | undefined;
  readonly #via: Via;

  constructor(id: string, via: Via, defaultPort?: number, place?: RelayPlace) {
    this.id = id;
    this.key = place ? keyOf(id, place) : id;
    this.host = place?.host ?? ('host' in via ? via.host : '');
    this.address = place?.address;
    this.port = 'host' in via ? (via.port ?? defaultPort ?? (via.secure ? 465 : 587)) : 0;
    this.lookup = ('host' in via ? via.lookup : undefined) ?? 'address';
    this.#via = via;
  }

  /** The settings as the app gave them. May hold credentials: never log it. */
  get via(): Via {
    return this.#via;
  }
}

/** `mx1.example.com[192.0.2.1]`, as Postfix logs it; before it the id where that is another name. An address literal is its own place. */
function keyOf(id: string, { host, address }: RelayPlace): string {
  if (host === address) return id;
  return `${id === host ? '' : `${id} `}${host}[${address}]`;
}
