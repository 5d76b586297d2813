/**
 * What every `DeliveryQueue` must do, whatever stores the mail, in the form of `contract.ts`. Cases
 * drive the queue with `runDue()` and short schedules, so that an engine with timers of its own can
 * pass too: it lets the time really go by.
 */
import type { ContractCase } from './contract.js';
import { queueTells } from './queue-contract-bounces.js';
import { queueDelivers } from './queue-contract-delivery.js';
import { queueTakesOver } from './queue-contract-handing-in.js';
import { queueObeys } from './queue-contract-operators.js';
import { queueRuns } from './queue-contract-running.js';
import type { QueueSetting } from './queue-stage.js';

export const deliveryQueueContract: readonly ContractCase<QueueSetting>[] = [
  ...queueTakesOver,
  ...queueDelivers,
  ...queueTells,
  ...queueObeys,
  ...queueRuns,
];
