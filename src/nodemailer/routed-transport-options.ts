/**
 * What a routed transport is given: all that makes a deliverer, or one that is ready; and a queue,
 * or what makes one. Everything wrong is reported at once.
 */
import {
  checkOptions,
  isFunction,
  isIntegerBetween,
  isString,
  isWith,
  show,
  type Check,
} from '../core/check-options.js';
import { Problems, RouteConfigError } from '../core/config-error.js';
import { Deliverer } from '../delivery/deliverer.js';
import type { DelivererOptions } from '../delivery/deliverer-options.js';
import type { MailQueue } from '../delivery/mail-queue.js';
import type { RelayTransport } from '../delivery/relay-transport.js';
import { inTime } from './in-time.js';
import { nodemailerTransport } from './nodemailer-transport.js';

/** Makes the queue of a transport, around the transport's own deliverer. */
export type MakeQueue = (deliverer: Deliverer) => MailQueue;

interface OwnOptions {
  /** One that is ready, in place of the options that make one. It is not closed with the transport. */
  readonly deliverer?: Deliverer;
  /** Takes over what cannot be delivered at once, and with `onPossiblyDelivered` at its default also what may have arrived. One that is ready is not closed with the transport; a function's is. */
  readonly queue?: MailQueue | MakeQueue;
  /** Messages larger than this are rendered to a temporary file. Default 1 MiB. */
  readonly spoolAboveBytes?: number;
  /** Where. Default the system's directory for temporary files. */
  readonly spoolDirectory?: string;
  /** The transport says that it is idle while fewer sends are under way. Default 20. */
  readonly idleBelow?: number;
}

/**
 * The options of `Deliverer`, of which `transport` defaults to `nodemailerTransport()`. `routes` may
 * be left out where a `deliverer` or a queue that is ready is given.
 */
export interface RoutedTransportOptions extends Partial<DelivererOptions>, OwnOptions {}

/** What a routed transport works with. */
export interface RoutedServices {
  readonly deliverer: Deliverer | undefined;
  readonly queue: MailQueue | undefined;
  readonly transport: RelayTransport | undefined;
  readonly limitMs: number;
  readonly spoolAboveBytes: number;
  readonly spoolDirectory: string | undefined;
  readonly idleBelow: number;
  /** Closes what was made here. */
  readonly close: (options: { readonly timeoutMs?: number }) => Promise<void>;
}

const DEFAULT_SPOOL_ABOVE = 2 ** 20;
const DEFAULT_IDLE_BELOW = 20;
const CLOSE_TIMEOUT_MS = 30_000;
/** As a delivery as a whole. */
const DEFAULT_LIMIT_MS = 30 * 60_000;

/** @throws {RouteConfigError} with everything that is wrong */
export function routedServices(options: RoutedTransportOptions): RoutedServices {
  const problems = new Problems();
  const { deliverer, queue, spoolAboveBytes, spoolDirectory, idleBelow, ...rest } = separate(options, problems);
  if (deliverer) refuseSecond(rest, problems);
  const owned = deliverer ? undefined : makeDeliverer(rest, queue, problems);
  problems.throwIfAny('RoutedTransport');
  const used = deliverer ?? owned?.deliverer;
  const ownQueue = typeof queue === 'function' && used ? madeQueue(queue, used) : undefined;
  return {
    deliverer: used,
    queue: ownQueue ?? (queue as MailQueue | undefined),
    transport: owned?.transport,
    limitMs: rest.deadlineMs ?? DEFAULT_LIMIT_MS,
    spoolAboveBytes: spoolAboveBytes ?? DEFAULT_SPOOL_ABOVE,
    spoolDirectory,
    idleBelow: idleBelow ?? DEFAULT_IDLE_BELOW,
    close: async ({ timeoutMs = CLOSE_TIMEOUT_MS }) => {
      // The queue first: it still delivers. Then its deliveries are ended, and it stores what became of them.
      const closing = Promise.resolve((ownQueue as { close?: () => Promise<void> } | undefined)?.close?.());
      const startedAt = performance.now();
      await inTime(closing, { limitMs: timeoutMs }).catch(() => undefined);
      await owned?.deliverer.close({ timeoutMs: Math.max(0, timeoutMs - (performance.now() - startedAt)) });
      await closing;
    },
  };
}

const isQueue: Check = (value) =>
  isFunction(value) === undefined ? undefined : isWith('submit', 'a queue, or a function that makes one')(value);

const OWN_CHECKS: Readonly<Record<keyof OwnOptions, Check>> = {
  deliverer: isWith('deliver', 'a Deliverer'),
  queue: isQueue,
  spoolAboveBytes: isIntegerBetween(0, Number.MAX_SAFE_INTEGER),
  spoolDirectory: isString,
  idleBelow: isIntegerBetween(1, 1_000_000),
};

/** The options, of which ours are checked; the deliverer's it checks itself. */
function separate(options: RoutedTransportOptions, problems: Problems): RoutedTransportOptions {
  if (typeof options !== 'object' || (options as object | null) === null) {
    problems.add('options', `must be an object such as { routes }, got ${show(options)}`);
    return {};
  }
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  const own = entries.filter(([name]) => Object.hasOwn(OWN_CHECKS, name));
  checkOptions(Object.fromEntries(own), OWN_CHECKS, '', problems);
  return Object.fromEntries(entries);
}

function refuseSecond(rest: Partial<DelivererOptions>, problems: Problems): void {
  for (const name of Object.keys(rest)) problems.add(name, 'belongs to the deliverer, which is given ready');
}

function makeDeliverer(
  rest: Partial<DelivererOptions>,
  queue: RoutedTransportOptions['queue'],
  problems: Problems,
): { deliverer: Deliverer; transport: RelayTransport } | undefined {
  if (Object.keys(rest).length === 0 && queue !== undefined && typeof queue !== 'function') return undefined;
  const transport = rest.transport ?? nodemailerTransport();
  try {
    // Behind a queue somebody tries again: mail that may have arrived is the queue's until a server has it for sure.
    const policy = queue === undefined ? {} : ({ onPossiblyDelivered: 'queue' } as const);
    return { deliverer: new Deliverer({ ...policy, ...(rest as DelivererOptions), transport }), transport };
  } catch (error) {
    if (!(error instanceof RouteConfigError)) throw error;
    for (const { path, message } of error.problems) problems.add(path, message);
    return undefined;
  }
}

/** @throws {RouteConfigError} if the function makes no queue */
function madeQueue(make: MakeQueue, deliverer: Deliverer): MailQueue {
  const queue = make(deliverer);
  const problems = new Problems();
  const wrong = isWith('submit', 'a function that returns a queue')(queue);
  if (wrong !== undefined) problems.add('queue', wrong);
  problems.throwIfAny('RoutedTransport');
  return queue;
}
