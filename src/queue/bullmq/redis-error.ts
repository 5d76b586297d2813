/**
 * What Redis and its client say, in the queue's words.
 */
import { QueueStorageError, type StorageProblem } from '../storage-error.js';

/** By the word with which Redis begins an error. */
const PROBLEMS: Readonly<Record<string, readonly [StorageProblem, string]>> = {
  OOM: ['FULL', 'Redis has no memory left'],
  MISCONF: ['FULL', 'Redis cannot write to its disk'],
  READONLY: ['READ_ONLY', 'this Redis is a replica'],
  LOADING: ['UNAVAILABLE', 'Redis is still reading its data'],
  CLUSTERDOWN: ['UNAVAILABLE', 'the cluster of Redis is down'],
  MASTERDOWN: ['UNAVAILABLE', 'this Redis has lost its master'],
};
const UNAVAILABLE = /^(connection is closed|stream isn't writeable|command timed out|connect |read ECONN|write )/i;

export function redisError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof QueueStorageError) return error;
  const { message, name } = error;
  const [word = ''] = message.split(' ');
  const known = PROBLEMS[word.replace(/^\W+/, '')];
  if (known) return new QueueStorageError(known[0], `${known[1]}: ${message}`, error);
  if (UNAVAILABLE.test(message) || name === 'MaxRetriesPerRequestError') {
    return new QueueStorageError('UNAVAILABLE', `Redis is not there: ${message}`, error);
  }
  return name === 'ReplyError' ? new QueueStorageError('STORAGE', `Redis refused: ${message}`, error) : error;
}
