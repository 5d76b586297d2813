/**
 * The result of a delivery: one status for each recipient, and every attempt on the way. Plain
 * JSON-safe data, so that it can be stored, logged and compared.
 */
import type { Failure, Phase, SmtpReply } from './failure.js';
import type { Verdict } from './classify.js';

/** What happened to one recipient. `retryAt` is in milliseconds since the epoch. */
export type RecipientOutcome = { readonly recipient: string } & (
  | { readonly status: 'delivered'; readonly relay: string; readonly reply?: SmtpReply }
  | { readonly status: 'queue-for-later'; readonly failure: Failure; readonly retryAt: number }
  | { readonly status: 'rejected'; readonly failure: Failure }
  | { readonly status: 'possibly-delivered'; readonly failure: Failure; readonly relay: string }
  | { readonly status: 'discarded' }
);

export type RecipientStatus = RecipientOutcome['status'];

/** A recipient that an attempt refused although the attempt as a whole went on. */
export interface RefusedRecipient {
  readonly recipient: string;
  readonly failure: Failure;
  readonly verdict: Verdict;
}

/** One connection-level try at one relay with one batch of recipients. Times in milliseconds since the epoch. */
export interface Attempt {
  readonly relay: string;
  readonly host: string;
  readonly port: number;
  /** The remote address: once connected, or from the start where DNS gave it. */
  readonly address?: string;
  /** The local address, once connected. */
  readonly localAddress?: string;
  /** Index of the tier in the route plan, 0 first. */
  readonly tier: number;
  readonly recipients: readonly string[];
  readonly startedAt: number;
  readonly endedAt: number;
  /** The furthest phase reached. */
  readonly phase: Phase;
  /** What ended the attempt for the whole batch, if anything did. */
  readonly failure?: Failure;
  readonly verdict?: Verdict;
  /** Recipients with a failure of their own. */
  readonly refused?: readonly RefusedRecipient[];
  /** The relay was down and another delivery was already trying it: this one took over its result. */
  readonly shared?: true;
}

/** A host that DNS named, and what was found of it. */
export interface LookedUpExchange {
  readonly name: string;
  /** Index of its preference among the answer's, 0 first. */
  readonly tier: number;
  /** The addresses that may be tried, in order. */
  readonly addresses: readonly string[];
}

/** What DNS was asked for a delivery, and what came back. */
export interface Lookup {
  /** A recipient's domain, or the host of a relay whose exchanges are looked up. */
  readonly domain: string;
  /** Who was asked, where the look-up tells. */
  readonly servers?: readonly string[];
  /** Answered from memory. */
  readonly cached?: boolean;
  readonly exchanges?: readonly LookedUpExchange[];
  /** Exchanges left out, and why. */
  readonly skipped?: readonly { readonly name: string; readonly why: string }[];
  readonly failure?: Failure;
}

/** The outcome of one delivery: each recipient of the envelope exactly once, in envelope order. */
export interface DeliveryOutcome {
  readonly id: string;
  readonly recipients: readonly RecipientOutcome[];
  readonly attempts: readonly Attempt[];
  /** Only if DNS was asked. */
  readonly lookups?: readonly Lookup[];
}
