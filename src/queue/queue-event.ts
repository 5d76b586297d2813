/**
 * What happens in a queue, as one union, beside the deliverer's own events. Never bodies or
 * credentials. `at` in milliseconds since the epoch, `id` the message's.
 */
import type { Failure } from '../core/failure.js';
import type { DeliveryOutcome } from '../core/outcome.js';
import type { FailedRecipient } from './next-step.js';

export type QueueEvent =
  | {
      readonly type: 'stored';
      readonly at: number;
      readonly id: string;
      readonly from: string;
      readonly recipients: readonly string[];
      readonly size: number;
    }
  /** An attempt is over and its result is stored. */
  | { readonly type: 'attempted'; readonly at: number; readonly id: string; readonly outcome: DeliveryOutcome }
  | {
      readonly type: 'deferred';
      readonly at: number;
      readonly id: string;
      readonly domain: string;
      readonly recipients: readonly string[];
      readonly failure: Failure;
      readonly retryAt: number;
    }
  /** The copy may have arrived; an operator decides. */
  | {
      readonly type: 'held';
      readonly at: number;
      readonly id: string;
      readonly domain: string;
      readonly recipients: readonly string[];
    }
  /** Recipients failed for good. `bounce` is the id of the message that tells the sender. */
  | {
      readonly type: 'bounced';
      readonly at: number;
      readonly id: string;
      readonly from: string;
      readonly recipients: readonly FailedRecipient[];
      readonly bounce?: string;
      /** Why there is no bounce message. */
      readonly notSent?: 'not-wanted' | 'null-sender' | 'could-not-be-built';
      /** What was wrong, where it could not be built. */
      readonly reason?: string;
    }
  /** A delay warning was stored for the sender, as the message `warning`. */
  | {
      readonly type: 'delay-warned';
      readonly at: number;
      readonly id: string;
      readonly recipients: readonly string[];
      readonly warning: string;
    }
  /** Nothing of this message is left in the queue. */
  | { readonly type: 'done'; readonly at: number; readonly id: string }
  /** Waiting mail was made due because newer mail to its domain succeeded. */
  | { readonly type: 'woken'; readonly at: number; readonly domain: string; readonly entries: number }
  /** What is stored cannot be read: put aside, not deleted, never tried. */
  | { readonly type: 'set-aside'; readonly at: number; readonly id?: string; readonly reason: string }
  /** The result came after the lease had gone to another worker, or was stored before (on Redis, where an answer is lost). What was delivered is still recorded. */
  | { readonly type: 'lease-lost'; readonly at: number; readonly id: string; readonly delivered: readonly string[] }
  /** Claims whose holder is dead or silent were freed. */
  | { readonly type: 'claims-freed'; readonly at: number; readonly entries: number; readonly why: 'dead' | 'silent' }
  /** The store or the deliverer did not do its part; the queue goes on by itself. */
  | { readonly type: 'trouble'; readonly at: number; readonly during: string; readonly error: Error };
