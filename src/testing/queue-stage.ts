/**
 * The stage on which the cases of the queue contract play: queues over a setting, relays that follow
 * a script, and words for what came of it.
 */
import assert from 'node:assert/strict';
import type { Clock } from '../delivery/system-clock.js';
import { Deliverer } from '../delivery/deliverer.js';
import { defineRoutes } from '../core/define-routes.js';
import type { Mail } from '../delivery/mail.js';
import type { DeliveryQueue } from '../queue/delivery-queue.js';
import type { QueueEvent } from '../queue/queue-event.js';
import type { QueueOptions } from '../queue/queue-options.js';
import type { ContractCase } from './contract.js';
import type { Script } from './scripted-sessions.js';
import { ScriptedTransport } from './scripted-transport.js';

/** Mail in one place, and queues over it. */
export interface QueueSetting {
  readonly clock: Clock;
  /** Lets so much time go by on that clock. */
  readonly pass: (ms: number) => Promise<void>;
  /** A queue on this mail; a further one is a further worker, as a process of its own would be. */
  readonly open: (options: QueueOptions) => DeliveryQueue | Promise<DeliveryQueue>;
  /** Whether queues opened one after the other see the same mail. */
  readonly durable: boolean;
  /** Closes what is behind the queues. */
  end(): Promise<void>;
}

type Open = (
  scripts?: Readonly<Record<string, Script>>,
  options?: Partial<QueueOptions>,
) => Promise<{ queue: DeliveryQueue; transport: ScriptedTransport; events: QueueEvent[] }>;

interface Stage {
  readonly open: Open;
  readonly pass: (ms: number) => Promise<void>;
  readonly durable: boolean;
}

export const MESSAGE: string = 'Subject: contract\r\n\r\nhello\r\n';
/** Short, for queues whose time really goes by. */
const PROFILE = { initialRetryMs: 200, maxRetryMs: 400, maxQueueTimeMs: 10_000 };
/** Longer than the first wait with its jitter. */
export const RETRY_MS: number = 300;

export function mailTo(...to: readonly string[]): Mail {
  return { envelope: { from: 'sender@example.net', to }, message: MESSAGE };
}

export function queueCase(name: string, play: (stage: Stage) => Promise<void>): ContractCase<QueueSetting> {
  return {
    name,
    run: async (setUp) => {
      const setting = await setUp();
      const queues: DeliveryQueue[] = [];
      const deliverers: Deliverer[] = [];
      const open: Open = async (scripts = {}, options = {}) => {
        const transport = new ScriptedTransport(scripts);
        const deliverer = new Deliverer({ routes: ROUTES, transport, clock: setting.clock, random: () => 0.5 });
        const events: QueueEvent[] = [];
        const queue = await setting.open({
          deliverer,
          profile: PROFILE,
          onEvent: (event) => events.push(event),
          ...options,
        });
        queues.push(queue);
        deliverers.push(deliverer);
        return { queue, transport, events };
      };
      try {
        await play({ open, pass: (ms) => setting.pass(ms), durable: setting.durable });
      } finally {
        for (const queue of queues) await queue.close();
        for (const deliverer of deliverers) await deliverer.close();
        await setting.end();
      }
    },
  };
}

/** Every domain at a relay of its own, the rest at a smarthost. */
const ROUTES = defineRoutes({
  relays: Object.fromEntries(
    ['a', 'b', 'smarthost', 'elsewhere'].map((id, i) => [id, { host: `192.0.2.${String(i + 1)}`, port: 25 }]),
  ),
  routes: [
    { match: 'a.test', tiers: [['a']] },
    { match: 'b.test', tiers: [['b']] },
    { match: 'ALL', tiers: [['smarthost']] },
  ],
});

export function statuses(
  outcomes: readonly { readonly recipients: readonly { readonly status: string }[] }[],
): string[] {
  return outcomes.flatMap(({ recipients }) => recipients.map(({ status }) => status)).sort();
}

export async function waiting(queue: DeliveryQueue): Promise<string[]> {
  const { entries } = await queue.show();
  return entries.flatMap(({ recipients }) => recipients.map(({ recipient }) => recipient)).sort();
}

export function ofType<Type extends QueueEvent['type']>(
  events: readonly QueueEvent[],
  type: Type,
): (QueueEvent & { type: Type })[] {
  return events.filter((event): event is QueueEvent & { type: Type } => event.type === type);
}

export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let turn = 0; turn < 5_000; turn++) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, turn < 100 ? 0 : 2));
  }
  assert.fail(`never came about: ${what}`);
}

export async function rejects(work: () => Promise<unknown>, name: string): Promise<void> {
  await assert.rejects(work, (error: Error) => {
    assert.equal(error.name, name);
    return true;
  });
}
