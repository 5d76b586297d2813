/**
 * `smtp-routes/queue`: mail that survives the end of the process, and a queue in memory for tests.
 */
export type {
  Affected,
  DeliveryCounters,
  DeliveryQueue,
  EntryStatus,
  HostStatus,
  QueueCounters,
  QueueFilter,
  QueuePage,
  ShowFilter,
  ShownEntry,
  ShownRecipient,
  Suspension,
  TopHostsOptions,
  Which,
} from './delivery-queue.js';
export { directoryMessages } from './engine/directory-messages.js';
export { INLINE_BYTES, type MessageStore } from './engine/message-store.js';
export { memoryQueue } from './memory/memory-queue.js';
export type { SqliteDatabase } from './sqlite/sqlite-database.js';
export { sqliteQueue, type SqliteQueueOptions } from './sqlite/sqlite-queue.js';
export { MessageTooLargeError } from './message-bytes.js';
export { QueueStorageError, type StorageProblem } from './storage-error.js';
export { nextStep, type FailedRecipient, type QueuePossiblyDelivered, type Step, type StepInput } from './next-step.js';
export type { AttemptNote, EntryRecipient, QueuedMessage, QueueEntry, Redirection } from './queue-entry.js';
export type { QueueEvent } from './queue-event.js';
export type { OnQueueEvent } from './queue-observer.js';
export type { QueueOptions } from './queue-options.js';
export { buildBounce } from './bounces/bounce-builder.js';
export type { BounceReport, ReportedRecipient } from './bounces/bounce-report.js';
export type { BuildBounce } from './bounces/notice-mail.js';
