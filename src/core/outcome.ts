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
  /** The remote address, once connected. */
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

/** The outcome of one delivery: each recipient of the envelope exactly once, in envelope order. */
export interface DeliveryOutcome {
  readonly id: string;
  readonly recipients: readonly RecipientOutcome[];
  readonly attempts: readonly Attempt[];
}
