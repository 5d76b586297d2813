/**
 * The port through which the delivery loop reaches a relay. An implementation speaks to one relay
 * at a time and reports; it never decides what a failure means.
 */
import type { Readable } from 'node:stream';
import type { Failure, SmtpReply } from '../core/failure.js';
import type { Relay } from '../core/relay.js';

/** RFC 3461 parameters, with nodemailer's names. */
export interface DsnParameters {
  readonly ret?: string;
  readonly envid?: string;
  readonly notify?: string | readonly string[];
  readonly orcpt?: string;
}

/** An SMTP envelope. `from: ''` is the null reverse-path of a bounce (RFC 5321 4.5.5). */
export interface Envelope {
  readonly from: string;
  readonly to: readonly string[];
  readonly dsn?: DsnParameters;
  /** RFC 6152: the message holds octets above 127. nodemailer's name, as the next. */
  readonly use8BitMime?: boolean;
  /** RFC 8689: only to be sent on over TLS, by every server on the way. */
  readonly requireTLSExtensionEnabled?: boolean;
}

/** Rendered message bytes that can be opened again for each attempt: the same bytes every time. `size` in bytes. */
export interface MessageSource {
  open(): Readable;
  readonly size?: number;
}

/** A rendered RFC 5322 message: bytes, or something that can be opened again. */
export type Message = string | Uint8Array | MessageSource;

/** What one relay said of one recipient: the final 2xx `reply` (absent where a transport has none), or a failure. */
export type RecipientReport =
  | { readonly recipient: string; readonly reply?: SmtpReply; readonly failure?: undefined }
  | { readonly recipient: string; readonly failure: Failure; readonly reply?: undefined };

/** The addresses and number of a connection. `connection` is unique within a process. */
export interface ConnectionInfo {
  readonly connection: number;
  readonly address?: string;
  readonly localAddress?: string;
  /** Protocol and cipher, e.g. `TLSv1.3` and `TLS_AES_256_GCM_SHA384`, once encrypted. */
  readonly tls?: { readonly protocol: string; readonly cipher: string };
}

/** What a transport tells about its connections while it sends. */
export type TransportEvent =
  | ({ readonly type: 'connection-opened' } & ConnectionInfo)
  /** This send goes over that connection, new or reused. */
  | ({ readonly type: 'connection-taken'; readonly reused: boolean } & ConnectionInfo)
  | { readonly type: 'connection-closed'; readonly connection: number; readonly reason?: string };

/** The reason of a `SendRequest`'s signal when the caller gives up. A signal aborts only once, so it carries another. */
export interface AbortReason extends Error {
  /** Aborts when the time is over, past the final dot too. */
  readonly limit?: AbortSignal;
}

/** One try at one relay. */
export interface SendRequest {
  readonly relay: Relay;
  readonly envelope: Envelope;
  readonly message: Message;
  /**
   * Aborted when the caller gives up or a limit passes. Before the final dot: stop and report
   * `aborted`. After it: go on waiting for the reply, unless the reason is a `TimeoutError`: then
   * report `lost` at `final-reply`. What goes on hears of the time's end from `signal.reason.limit`.
   */
  readonly signal: AbortSignal;
  readonly onEvent?: (event: TransportEvent) => void;
}

/**
 * Sends one message to one relay.
 *
 * `send` resolves with exactly one report for each recipient of the envelope. A rejection is a
 * defect of the transport; the deliverer then classifies what the error tells and never assumes
 * that nothing was sent.
 */
export interface RelayTransport {
  send(request: SendRequest): Promise<readonly RecipientReport[]>;
  /** The most sends that may be under way to this relay at once. The deliverer keeps the rest waiting, where a failure can still turn them to the next relay. */
  limit?(relay: Relay): number;
  /** Resolves if the relay can be used; rejects with the reason. Sends nothing. */
  check?(relay: Relay): Promise<void>;
  /** Closes idle connections now and busy ones when they finish. */
  close?(): Promise<void> | void;
}
