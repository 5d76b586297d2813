/**
 * Where the bodies of messages lie that are too long to be kept with the message's record: a table,
 * a directory on shared storage, a bucket. Whatever an app has that every worker can reach.
 */
import type { Readable } from 'node:stream';
import { isWith, type Check } from '../../core/check-options.js';

export interface MessageStore {
  /** Resolves when the body would survive the loss of this process and of the power. A rejected `put` leaves nothing that `open` finds. */
  put(key: string, body: AsyncIterable<Uint8Array>): Promise<void>;
  /** The same bytes, any number of times; a message of which more or fewer come is tried again. */
  open(key: string): Readable;
  /** Also of what is not there. */
  remove(key: string): Promise<void>;
  /** The keys put before a time, in milliseconds since the epoch. What is not of the queue's own mail is removed. */
  list(before: number): AsyncIterable<string>;
}

/** Bodies up to this many bytes are kept with the message's record: 256 KiB. */
export const INLINE_BYTES: number = 256 * 1024;

export const isMessageStore: Check = isWith(['put', 'open', 'remove', 'list'], 'a MessageStore');
