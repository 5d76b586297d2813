/**
 * A queue whose relay follows a script, and what it tells: for tests of what is behind the queue.
 */
import { Deliverer, type RouteTable } from 'smtp-routes';
import type { DeliveryQueue, QueueEvent, QueueOptions } from 'smtp-routes/queue';
import { ScriptedTransport, type Script } from 'smtp-routes/testing';
import type { Clock } from '../../src/delivery/system-clock.js';

export interface ScriptedQueue {
  readonly queue: DeliveryQueue;
  readonly transport: ScriptedTransport;
  readonly events: QueueEvent[];
}

/** @param make makes the queue of what a queue is given */
export function scriptedQueue(
  routes: RouteTable,
  scripts: Readonly<Record<string, Script>>,
  clock: Clock | undefined,
  make: (
    options: Pick<QueueOptions, 'deliverer'> & { readonly onEvent: (event: QueueEvent) => unknown },
  ) => DeliveryQueue,
): ScriptedQueue {
  const transport = new ScriptedTransport(scripts);
  const deliverer = new Deliverer({ routes, transport, random: () => 0.5, ...(clock && { clock }) });
  const events: QueueEvent[] = [];
  return { queue: make({ deliverer, onEvent: (event) => events.push(event) }), transport, events };
}
