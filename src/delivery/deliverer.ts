/**
 * Takes a message to where its recipients' mail goes, and says what became of each of them.
 *
 * Recipients are grouped by plan, plans run side by side, and each one is a loop over relays
 * (`batch.ts`). Here stands what all deliveries share: the table, the relays' states, the limits.
 */
import { randomUUID } from 'node:crypto';
import { bounceProfile, retryDelayMs } from '../core/bounce-profile.js';
import { withDefaults } from '../core/check-options.js';
import { DEFAULT_COOLING, type RelayHealth } from '../core/health.js';
import type { DeliveryOutcome } from '../core/outcome.js';
import type { Failure } from '../core/failure.js';
import type { Relay } from '../core/relay.js';
import { RouteResolver } from '../core/route-resolver.js';
import type { RouteTable } from '../core/route-table.js';
import { AbortControllers } from './abort-controllers.js';
import { AbortListeners } from './abort-listeners.js';
import { announce } from './announce.js';
import { deliverBatch } from './batch.js';
import { checkRelays } from './check-relays.js';
import { Deadlines } from './deadlines.js';
import {
  checkDelivererOptions,
  DEFAULT_ATTEMPT_TIMEOUT_MS,
  DEFAULT_DEADLINE_MS,
  type DelivererOptions,
} from './deliverer-options.js';
import { Delivery, type DeliveryServices } from './delivery.js';
import { noDnsFailure } from './dns-lookup.js';
import { Exchanges, settleUnreachable, type Way } from './exchanges.js';
import { checkMail, reversePath, sharedEnvelope, type Mail } from './mail.js';
import { Observer } from './observer.js';
import { addressees, planBatches, type Addressee, type Planned } from './plan-batches.js';
import { relayLimit } from './relay-limit.js';
import { RelayStates } from './relay-states.js';
import { systemClock, systemRandom, type Clock } from './system-clock.js';
import { UnderWay } from './under-way.js';
import { redirectedResolver, type Resolving, type Redirection } from './redirection.js';

export interface DeliverOptions {
  /** Gives up: what no server has taken yet is queued for later. What is past the final dot is waited for. */
  readonly signal?: AbortSignal;
  /** Names the delivery in events, logs and the outcome. Default a unique one. */
  readonly id?: string;
  /** Another way than the recipients' domains have: through one relay of the table, or as mail for a domain goes. */
  readonly via?: Redirection;
}

/** What is known of a relay. `since` and `until` in milliseconds since the epoch; `until` in the past: a probe is due. */
export type RelayReport = Omit<RelayHealth, 'penalty' | 'cooledAt'>;

export class Deliverer {
  /** What it was given, for what is built on top: clock, dice, and the limit of a whole delivery. */
  readonly clock: Clock;
  readonly random: () => number;
  readonly deadlineMs: number;
  readonly #options: DelivererOptions;
  readonly #services: DeliveryServices;
  readonly #states: RelayStates;
  readonly #underWay: UnderWay;
  readonly #exchanges: Exchanges;
  /** Names deliveries together with a running number: a UUID for each would cost more. */
  readonly #name: string = randomUUID();
  #deliveries = 0;
  readonly #abortListeners = new AbortListeners();
  #table: RouteTable;
  #resolver: RouteResolver;
  #closed = false;

  /** @throws {RouteConfigError} for unknown or wrong options, all at once */
  constructor(options: DelivererOptions) {
    checkDelivererOptions(options);
    const { transport, clock = systemClock, random = systemRandom } = options;
    const profile = bounceProfile(options.profile);
    const observer = new Observer(options.onEvent);
    this.clock = clock;
    this.random = random;
    this.deadlineMs = options.deadlineMs ?? DEFAULT_DEADLINE_MS;
    this.#options = options;
    this.#table = options.routes;
    this.#resolver = new RouteResolver(options.routes);
    this.#exchanges = new Exchanges(options.dns, options.mx ?? {});
    this.#underWay = new UnderWay(clock);
    this.#states = new RelayStates({
      clock,
      random,
      observer,
      cooling: withDefaults(DEFAULT_COOLING, options.cooling),
      limitOf: (relay) => relayLimit(transport, relay),
    });
    this.#services = {
      transport,
      clock,
      observer,
      states: this.#states,
      deadlines: new Deadlines(clock),
      controllers: new AbortControllers(),
      classify: options.classify,
      onPossiblyDelivered: options.onPossiblyDelivered ?? 'report',
      attemptTimeoutMs: options.attemptTimeoutMs ?? DEFAULT_ATTEMPT_TIMEOUT_MS,
      deadlineMs: this.deadlineMs,
      retryAfterMs: () => retryDelayMs(profile, 1, random()),
    };
    this.#warnOfMissingDns();
  }

  /**
   * Delivers one message, and resolves with one outcome for each recipient whatever a server, the
   * network or an abort does.
   *
   * @throws {RouteConfigError} for wrong use: no recipients, a missing message
   * @throws {Error} after `close()`
   */
  async deliver(mail: Mail, options: DeliverOptions = {}): Promise<DeliveryOutcome> {
    if (this.#closed) throw new Error('deliver() was called after close()');
    checkMail(mail, options);
    const resolver = redirectedResolver(options.via, this.#table, this.#resolver);
    const { from, to } = mail.envelope;
    const recipients = addressees(to);
    const path = reversePath(from);
    const message = typeof mail.message === 'string' ? Buffer.from(mail.message) : mail.message;
    const envelope = sharedEnvelope(mail.envelope, path ?? '');
    const id = options.id ?? `${this.#name}-${String(++this.#deliveries)}`;
    const delivery = new Delivery(this.#services, id, envelope, message, recipients.length);
    if (path === undefined) settleUnreachable(delivery, recipients, NO_SENDER);
    else {
      const end = this.#begin(delivery, options.signal);
      try {
        await this.#run(delivery, recipients, resolver);
      } finally {
        end();
      }
    }
    const outcome = delivery.outcome();
    if (delivery.watched) announce(this.#services, from, outcome);
    return outcome;
  }

  /** Bounds a delivery by its deadline and the caller's signal, until the returned function is called. */
  #begin(delivery: Delivery, signal: AbortSignal | undefined): () => void {
    const { deadlines, deadlineMs } = this.#services;
    const stopListening =
      signal &&
      this.#abortListeners.listen(signal, () => {
        delivery.abort();
      });
    const deadline = {
      at: delivery.deadlineAt,
      onPassed: () => {
        delivery.expire(`not settled within deadlineMs (${String(deadlineMs)} ms)`);
      },
    };
    deadlines.add(deadline);
    this.#underWay.add(delivery);
    return () => {
      deadlines.remove(deadline);
      stopListening?.();
      this.#underWay.delete(delivery);
    };
  }

  #run(delivery: Delivery, recipients: readonly Addressee[], resolver: Resolving): Promise<unknown> {
    const table = this.#table;
    const batches = planBatches(delivery, recipients, resolver, table);
    const [only] = batches;
    return only && batches.length === 1
      ? this.#deliverPlanned(delivery, table, only)
      : Promise.all(batches.map((planned) => this.#deliverPlanned(delivery, table, planned)));
  }

  #deliverPlanned(delivery: Delivery, table: RouteTable, planned: Planned): Promise<void> {
    const { recipients } = planned;
    const relayOf = (id: string): Relay => table.relay(id);
    const follow = (way: Way): Promise<void> => {
      if (!('failure' in way)) return deliverBatch(delivery, { rotation: way, relayOf, recipients });
      settleUnreachable(delivery, recipients, way.failure);
      return Promise.resolve();
    };
    const way =
      planned.action === 'mx'
        ? this.#exchanges.ofDomain(delivery, planned.domain)
        : this.#exchanges.ofRelays(delivery, planned.rotation, relayOf);
    return way instanceof Promise ? way.then(follow) : follow(way);
  }

  /** The table in use. */
  get routes(): RouteTable {
    return this.#table;
  }

  /** The state of every relay of the table, by id; and, as `mx1.example.com[192.0.2.1]`, of addresses that DNS gave lately. */
  health(): Record<string, RelayReport> {
    const ofTable = [...this.#table.relays()].map((relay) => [relay.id, this.#states.healthOf(relay)] as const);
    const report = ([key, { state, since, why, until }]: readonly [string, RelayHealth]): [string, RelayReport] => {
      return [key, { state, since, ...(why && { why }), ...(until !== undefined && { until }) }];
    };
    return Object.fromEntries([...ofTable, ...this.#states.lookedUp()].map(report));
  }

  /** Tries every relay of the table, each for `attemptTimeoutMs` at most, and sends nothing. By relay, why it cannot be used; empty if all can. */
  check(): Promise<Map<string, Error>> {
    const { transport, clock, attemptTimeoutMs, deadlineMs } = this.#services;
    return checkRelays({ transport, clock, limitMs: Math.min(attemptTimeoutMs, deadlineMs) }, this.#table.relays());
  }

  /**
   * Takes another table for the deliveries to come; those under way go on with theirs. Rotation and
   * health are kept for relays that stay where they are.
   *
   * @throws {RouteConfigError} if it is no route table
   */
  updateRoutes(table: RouteTable): void {
    checkDelivererOptions({ ...this.#options, routes: table });
    const before = new Map([...this.#table.relays()].map((relay) => [relay.id, relay]));
    for (const relay of table.relays()) {
      const old = before.get(relay.id);
      if (old && (old.host !== relay.host || old.port !== relay.port)) this.#states.forget(relay);
    }
    this.#table = table;
    this.#resolver = new RouteResolver(table);
    this.#warnOfMissingDns();
  }

  /**
   * Takes nothing more, waits for what is under way, and closes the transport. What is not settled
   * after `timeoutMs` (default 30 s) is queued for later, or possibly delivered.
   */
  async close({ timeoutMs = 30_000 }: { readonly timeoutMs?: number } = {}): Promise<void> {
    this.#closed = true;
    await this.#underWay.drain(timeoutMs);
    await this.#services.transport.close?.();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** A forgotten `ALL` should be noticed when the app starts, not when mail piles up. */
  #warnOfMissingDns(): void {
    const why = this.#options.dns ? undefined : this.#table.needsDns();
    if (why === undefined) return;
    const { observer, clock } = this.#services;
    observer.emit({ type: 'lookup', at: clock.now(), domain: '*', failure: noDnsFailure('*') });
    process.emitWarning(`mail that needs DNS will be queued for later: ${why}, and the Deliverer was given no dns`, {
      code: 'SMTP_ROUTES_NO_DNS',
    });
  }
}

const NO_SENDER: Failure = { kind: 'unroutable', enhanced: '5.1.7', message: 'envelope.from is no mail address' };
