/**
 * A deliverer whose relays follow a script, with a clock that moves when told; and words for what
 * came of it, so that a test reads as a list of what happened. What any scenario must leave behind,
 * nothing, is checked after each test.
 */
import { getEventListeners } from 'node:events';
import { expect, onTestFinished } from 'vitest';
import { Deliverer, defineRoutes } from 'smtp-routes';
import type {
  Attempt,
  DelivererOptions,
  DeliverOptions,
  DeliveryEvent,
  DeliveryOutcome,
  Failure,
  RecipientOutcome,
  RelayTransport,
  RouteTable,
  Via,
} from 'smtp-routes';
import { assertAccounted, ManualClock, recordEvents, ScriptedTransport } from 'smtp-routes/testing';
import type { EventRecorder, Script } from 'smtp-routes/testing';

export const MESSAGE = 'Subject: test\r\n\r\nhello\r\n';
export const SENDER = 'sender@example.net';
export const USER = 'user@example.com';

/** Relays `a` to `f`, at addresses that name them. */
export const RELAYS: Readonly<Record<string, Via>> = Object.fromEntries(
  ['a', 'b', 'c', 'd', 'e', 'f'].map((id, i) => [id, { host: `192.0.2.${String(i + 1)}`, port: 25 }]),
);

type TierOf = readonly (string | { readonly relay: string; readonly weight: number })[];

/** A table with one route for everything. */
export function allTo(...tiers: readonly TierOf[]): RouteTable {
  return defineRoutes({ relays: RELAYS, routes: [{ match: 'ALL', tiers: tiers.map((tier) => [...tier]) }] });
}

export interface SetUp extends Partial<Omit<DelivererOptions, 'transport' | 'clock'>> {
  readonly scripts?: Readonly<Record<string, Script>>;
  /** Sends at once to one relay. */
  readonly limit?: number;
  /** In place of the scripted one. */
  readonly transport?: RelayTransport;
  /** Whether script lines may be left over. */
  readonly partly?: boolean;
}

export interface Bench {
  readonly deliverer: Deliverer;
  readonly transport: ScriptedTransport;
  readonly clock: ManualClock;
  readonly events: EventRecorder<DeliveryEvent>;
  /** Delivers, and checks that everybody is accounted for. */
  readonly deliver: (
    to?: string | readonly string[],
    options?: DeliverOptions & { from?: string },
  ) => Promise<DeliveryOutcome>;
  /** Relays that were sent to, in order. */
  readonly sends: () => string[];
}

/** By default a route to relays `a` and `b` in one tier, beginning with `a`. */
export function setUp({ scripts, limit, transport, partly = false, ...options }: SetUp = {}): Bench {
  const scripted = new ScriptedTransport(scripts, limit === undefined ? {} : { limit });
  const clock = new ManualClock();
  const events = recordEvents<DeliveryEvent>();
  const deliverer = new Deliverer({
    routes: allTo(['a', 'b']),
    transport: transport ?? scripted,
    clock,
    random: () => 0,
    onEvent: events,
    ...options,
  });
  const signals: AbortSignal[] = [];
  const bench: Bench = {
    deliverer,
    transport: scripted,
    clock,
    events,
    deliver: async (to = USER, { from = SENDER, ...rest } = {}) => {
      const list = typeof to === 'string' ? [to] : to;
      if (rest.signal) signals.push(rest.signal);
      const outcome = await deliverer.deliver({ envelope: { from, to: list }, message: MESSAGE }, rest);
      assertAccounted(list, outcome);
      expect(JSON.parse(JSON.stringify(outcome)), 'an outcome is JSON-safe').toEqual(outcome);
      return outcome;
    },
    sends: () => scripted.trace.map(({ relay }) => relay),
  };
  onTestFinished(() => {
    checkNothingIsLeft(bench, signals, partly);
  });
  return bench;
}

function checkNothingIsLeft({ clock, transport }: Bench, signals: readonly AbortSignal[], partly: boolean): void {
  expect(clock.sleeping, 'sleeps left over').toBe(0);
  expect(transport.busy(), 'sends left under way').toBe(0);
  for (const signal of signals) {
    expect(getEventListeners(signal, 'abort'), 'listeners left on a signal').toEqual([]);
  }
  if (!partly) transport.assertExhausted();
}

/** `431@connect`, `ECONNRESET@data`, `expired after 431@connect`. */
export function word(failure: Failure): string {
  switch (failure.kind) {
    case 'reply':
      return `${String(failure.reply.code)}@${failure.phase}`;
    case 'lost':
      return `${failure.code}@${failure.phase}`;
    case 'unsupported':
      return failure.kind;
    default:
      return failure.last ? `${failure.kind} after ${word(failure.last)}` : failure.kind;
  }
}

/** `delivered by a`, `rejected: 550@envelope`. */
export function resultOf(result: RecipientOutcome | undefined): string {
  if (!result) return 'not settled';
  switch (result.status) {
    case 'discarded':
      return result.status;
    case 'delivered':
      return `delivered by ${result.relay}`;
    default:
      return `${result.status}: ${word(result.failure)}`;
  }
}

/** The result of each recipient, in order. */
export function results({ recipients }: DeliveryOutcome): string[] {
  return recipients.map((result) => resultOf(result));
}

function attemptWord({ relay, failure, verdict, refused = [], shared }: Attempt): string {
  const act = verdict ? `, ${verdict.action}${verdict.cool ? ' and cool' : ''}` : '';
  const own = refused.map((one) => ` [${one.recipient} ${word(one.failure)}, ${one.verdict.action}]`).join('');
  return `${relay}${shared ? ' (shared)' : ''}: ${failure ? word(failure) : 'accepted'}${failure ? act : ''}${own}`;
}

/** The attempts: `a: 431@connect, next-relay and cool`. */
export function attempts({ attempts: all }: DeliveryOutcome): string[] {
  return all.map(attemptWord);
}

/** Events by type, with what they are about. */
export function told(events: EventRecorder<DeliveryEvent>): string[] {
  return events.events.map((event) => {
    const relay = event.type === 'attempt-ended' ? event.attempt.relay : 'relay' in event ? event.relay : '';
    return `${event.type} ${relay}`.trim();
  });
}

/** How often each relay was sent to. */
export function shares(names: readonly string[]): Record<string, number> {
  const count: Record<string, number> = {};
  for (const name of names) count[name] = (count[name] ?? 0) + 1;
  return count;
}

/** Lets everything that waits for nothing but a turn of the loop go on. */
export async function turns(clock: ManualClock, count = 3): Promise<void> {
  for (let i = 0; i < count; i++) await clock.advance(0);
}
