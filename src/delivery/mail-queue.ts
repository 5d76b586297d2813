/**
 * The part of a queue that whoever hands mail in needs to see: it takes responsibility for a
 * message, and may wait for what the first attempt gave.
 */
import type { BounceProfile } from '../core/bounce-profile.js';
import type { DeliveryOutcome } from '../core/outcome.js';
import type { Mail } from './mail.js';

export interface SubmitOptions {
  /** Names the message: the same id again is the same message. Default a unique one. */
  readonly id?: string;
  /** How often and how long to retry this message, over the queue's own profile. */
  readonly profile?: Partial<BounceProfile>;
  /**
   * Gives up waiting. Before the message is stored `submit` rejects with its reason; afterwards it
   * resolves, without an outcome. A store that does not answer within a second of the abort leaves it
   * open whether the message is stored: give an `id`, and the same one again.
   */
  readonly signal?: AbortSignal;
  /**
   * When `submit` resolves. The message is stored before the first attempt either way. Default
   * `stored`. An id that the queue has already is not waited for, even while the first attempt of it
   * runs: `submit` resolves at once, without an outcome.
   */
  readonly wait?: 'stored' | 'first-attempt';
}

/** What `submit` answers; `outcome` of the first attempt, if that was waited for and the id was new. */
export interface Submission {
  readonly id: string;
  readonly outcome?: DeliveryOutcome;
}

export interface MailQueue {
  /**
   * Resolves once the message would survive the end of this process. Rejects if it was not stored. A
   * message given as a source can be opened until this settles: what a queue needs later it copies.
   */
  submit(mail: Mail, options?: SubmitOptions): Promise<Submission>;
}
