/**
 * The queue over a store: takes messages in, and does what operators ask for. The workers do the
 * delivering.
 */
import type { DeliveryOutcome } from '../core/outcome.js';
import type { Mail } from '../delivery/mail.js';
import type { Submission, SubmitOptions } from '../delivery/mail-queue.js';
import { bounceClaim, type AttemptServices } from './attempt-claim.js';
import type {
  Affected,
  DeliveryQueue,
  HostStatus,
  QueueCounters,
  QueuePage,
  ShowFilter,
  Suspension,
  TopHostsOptions,
  Which,
} from './delivery-queue.js';
import { newHolder, isDeadHere } from './holder.js';
import { Intake } from './intake.js';
import type { Redirection } from './queue-entry.js';
import { QueueObserver } from './queue-observer.js';
import { Profiles, type QueueOptions, type QueueSettings } from './queue-options.js';
import { isLate, type Alteration, type QueueStore, type Window } from './queue-store.js';
import { QueueWorkers } from './queue-workers.js';
import { UnderWay } from './under-way.js';
import { readDomain, readPage, readRedirect, readTopHosts, readWhich } from './which-mail.js';

/** Entries that a verb looks at in one step of the store, which blocks the event loop for so long. */
const WINDOW = 500;

export class StoredQueue implements DeliveryQueue {
  readonly #store: QueueStore;
  readonly #workers: QueueWorkers;
  readonly #observer: QueueObserver;
  readonly #attempts: AttemptServices;
  readonly #underWay = new UnderWay();
  readonly #intake: Intake;
  #closed = false;

  constructor(store: QueueStore, options: QueueOptions, settings: QueueSettings) {
    const { deliverer } = options;
    this.#store = store;
    this.#observer = new QueueObserver(options.onEvent);
    this.#attempts = { deliverer, profiles: new Profiles(options), ...settings };
    this.#workers = new QueueWorkers({
      store,
      attempts: this.#attempts,
      settings,
      holder: newHolder(),
      isDead: isDeadHere,
      observer: this.#observer,
    });
    this.#intake = new Intake({
      store,
      workers: this.#workers,
      observer: this.#observer,
      clock: deliverer.clock,
      underWay: this.#underWay,
    });
    store.onSetAside = (what) => this.#observer.emit({ type: 'set-aside', at: this.#now(), ...what });
  }

  async submit(mail: Mail, options: SubmitOptions = {}): Promise<Submission> {
    this.#refuseAfterClose('submit');
    return await this.#intake.submit(mail, options);
  }

  start({ keepAlive = false }: { readonly keepAlive?: boolean } = {}): void {
    this.#refuseAfterClose('start');
    this.#workers.start(keepAlive);
  }

  async runDue(): Promise<DeliveryOutcome[]> {
    this.#refuseAfterClose('runDue');
    return await this.#underWay.track(this.#workers.runDue());
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#workers.stop();
    await this.#underWay.ended();
    await this.#workers.close();
    await this.#store.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async show(filter: ShowFilter = {}): Promise<QueuePage> {
    const { filter: wanted, limit, after } = readPage(filter);
    const entries: QueuePage['entries'][number][] = [];
    let next: number | undefined = after;
    while (next !== undefined && entries.length < limit) {
      const page: Awaited<ReturnType<QueueStore['show']>> = await this.#store.show({
        filter: wanted,
        now: this.#now(),
        after: next,
        limit: limit - entries.length,
      });
      entries.push(...page.entries);
      next = page.next;
    }
    return next === undefined ? { entries } : { entries, next: String(next) };
  }

  async deliverNow(which: Which = 'all'): Promise<Affected> {
    const affected = await this.#alter({ do: 'make-due' }, which, 'deliverNow');
    this.#workers.poke();
    return affected;
  }

  async remove(which: Which): Promise<Affected> {
    return await this.#alter({ do: 'remove' }, which, 'remove');
  }

  async release(which: Which): Promise<Affected> {
    const affected = await this.#alter({ do: 'release' }, which, 'release');
    this.#workers.poke();
    return affected;
  }

  async redirect(which: Which, to?: string | Redirection): Promise<Affected> {
    const relays = [...this.#attempts.deliverer.routes.relays()].map(({ id }) => id);
    const via = readRedirect(which, to, relays);
    return await this.#alter({ do: 'redirect', via }, which, 'redirect');
  }

  async bounce(which: Which): Promise<Affected> {
    return await this.#throughout(which, 'bounce', async (window) => {
      const { claims, ...affected } = await this.#store.claimMatching(this.#workers.by(), window);
      for (const claim of claims) {
        const { settlement, events } = await bounceClaim(this.#attempts, claim, window.now);
        const { lost, done } = await this.#store.settle(settlement);
        if (!isLate(settlement, lost)) for (const event of events) this.#observer.emit(event);
        if (done) this.#observer.emit({ type: 'done', at: window.now, id: claim.message.id });
      }
      this.#workers.poke();
      return affected;
    });
  }

  async suspend(domain?: string): Promise<Suspension> {
    return await this.#suspend(domain, true, 'suspend');
  }

  async resume(domain?: string): Promise<Suspension> {
    const suspension = await this.#suspend(domain, false, 'resume');
    this.#workers.poke();
    return suspension;
  }

  async #suspend(domain: string | undefined, suspended: boolean, verb: string): Promise<Suspension> {
    this.#refuseAfterClose(verb);
    const name = domain === undefined ? undefined : readDomain(domain, verb);
    return await this.#underWay.track(this.#store.suspend(name, suspended));
  }

  async hostStatus(domain: string): Promise<HostStatus> {
    return await this.#store.hostStatus(readDomain(domain, 'hostStatus'));
  }

  async topHosts(options: TopHostsOptions = {}): Promise<HostStatus[]> {
    return await this.#store.topHosts(readTopHosts(options));
  }

  async counters(): Promise<QueueCounters> {
    return await this.#store.counters();
  }

  #now(): number {
    return this.#attempts.deliverer.clock.now();
  }

  async #alter(alteration: Alteration, which: Which, verb: string): Promise<Affected> {
    return await this.#throughout(which, verb, (window) => this.#store.alter(alteration, window));
  }

  /**
   * Goes through the queue window by window, so that nothing else has to wait for long. Ends at what
   * was there at the beginning: never at mail that came since, as the bounces of a `bounce`.
   */
  async #throughout(
    which: Which,
    verb: string,
    step: (window: Window) => Promise<Affected & { readonly next?: number }>,
  ): Promise<Affected> {
    this.#refuseAfterClose(verb);
    const filter = readWhich(which, verb);
    const sum = { entries: 0, recipients: 0, inFlight: 0 };
    const now = this.#now();
    const walk = async (): Promise<Affected> => {
      const upTo = await this.#store.newest();
      for (let after: number | undefined = 0; after !== undefined;) {
        const did: Affected & { readonly next?: number } = await step({ filter, now, after, upTo, limit: WINDOW });
        sum.entries += did.entries;
        sum.recipients += did.recipients;
        sum.inFlight += did.inFlight;
        after = did.next;
      }
      return sum;
    };
    return await this.#underWay.track(walk());
  }

  #refuseAfterClose(verb: string): void {
    if (this.#closed) throw new Error(`${verb}() was called after close()`);
  }
}
