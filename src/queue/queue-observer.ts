/**
 * Tells the app what happens in the queue, and logs it under `smtp-routes:queue`: ids, domains and
 * counts. A listener that throws or rejects changes nothing.
 */
import createDebug from 'debug';
import { errorMessage } from '../core/error-message.js';
import { onOneLine } from '../core/reply.js';
import type { QueueEvent } from './queue-event.js';

/** Called synchronously with each event. Its result is ignored; what it throws or rejects with is seen under `debug` only. */
export type OnQueueEvent = (event: QueueEvent) => unknown;

const queue = createDebug('smtp-routes:queue');

export class QueueObserver {
  readonly #onEvent: OnQueueEvent | undefined;

  constructor(onEvent: OnQueueEvent | undefined) {
    this.#onEvent = onEvent;
  }

  emit(event: QueueEvent): void {
    if (queue.enabled) queue('%s', onOneLine(describe(event)));
    if (!this.#onEvent) return;
    try {
      Promise.resolve(this.#onEvent(event)).catch(logTrouble);
    } catch (error) {
      logTrouble(error);
    }
  }

  /** Something went wrong that will be tried again. */
  trouble(during: string, cause: unknown, at: number): void {
    const error = cause instanceof Error ? cause : new Error(String(cause));
    this.emit({ type: 'trouble', at, during, error });
  }
}

function logTrouble(error: unknown): void {
  queue("the app's callback failed, ignored: %s", onOneLine(errorMessage(error)));
}

function describe(event: QueueEvent): string {
  switch (event.type) {
    case 'stored':
      return `${event.id}: stored, ${count(event.recipients)}, ${String(event.size)} bytes`;
    case 'attempted':
      return `${event.id}: attempted: ${event.outcome.recipients.map(({ status }) => status).join(', ')}`;
    case 'deferred':
      return `${event.id}: ${event.domain}: ${count(event.recipients)} again at ${new Date(event.retryAt).toISOString()}`;
    case 'held':
      return `${event.id}: ${event.domain}: ${count(event.recipients)} held, may have arrived`;
    case 'bounced':
      return `${event.id}: ${count(event.recipients)} failed, ${[event.bounce ?? event.notSent, event.reason].filter(Boolean).join(': ')}`;
    case 'delay-warned':
      return `${event.id}: ${count(event.recipients)} delayed, sender warned by ${event.warning}`;
    case 'done':
      return `${event.id}: done`;
    case 'woken':
      return `${event.domain}: a success wakes ${String(event.entries)}`;
    case 'set-aside':
      return `${event.id ?? '?'}: set aside: ${event.reason}`;
    case 'lease-lost':
      return `${event.id}: the lease was lost, ${count(event.delivered)} delivered all the same`;
    case 'claims-freed':
      return `${String(event.entries)} claims freed, holder ${event.why}`;
    case 'trouble':
      return `${event.during}: ${event.error.message}`;
  }
}

function count({ length }: readonly unknown[]): string {
  return `${String(length)} recipient(s)`;
}
