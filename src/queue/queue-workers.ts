/**
 * The workers of a queue in this process: so many claims at once, each attempted, settled and
 * followed by the next; leases renewed meanwhile; sleep when nothing is due.
 */
import type { DeliveryOutcome } from '../core/outcome.js';
import { attemptClaim, type Attempted, type AttemptServices } from './attempt-claim.js';
import { DomainShares } from './domain-shares.js';
import { Housekeeping } from './housekeeping.js';
import { Leases, type Leased } from './leases.js';
import { Nap } from './nap.js';
import type { QueueEntry } from './queue-entry.js';
import type { QueueObserver } from './queue-observer.js';
import type { QueueSettings } from './queue-options.js';
import type { Claim, ClaimBy, QueueStore } from './queue-store.js';
import { Settling } from './settling.js';
import { Slots } from './slots.js';
import { UnderWay } from './under-way.js';

export interface WorkersOptions {
  readonly store: QueueStore;
  readonly attempts: AttemptServices;
  readonly settings: QueueSettings;
  readonly holder: string;
  readonly isDead: (holder: string) => boolean;
  readonly observer: QueueObserver;
}

/** Workers that new mail leaves to what waits for a retry: one in so many. */
const RETRY_WORKERS = 4;
/** After the store has failed. */
const TROUBLE_PAUSE_MS = 1_000;

export class QueueWorkers {
  readonly shares: DomainShares;
  readonly slots: Slots;
  readonly #options: WorkersOptions;
  readonly #leases: Leases;
  readonly #nap: Nap;
  readonly #housekeeping: Housekeeping;
  readonly #settling: Settling;
  readonly #underWay = new UnderWay();
  #started = false;
  #closed = false;
  #claiming = false;
  #poked = false;
  #turn = 0;

  constructor(options: WorkersOptions) {
    this.#options = options;
    this.shares = new DomainShares(options.settings.perDomain);
    this.slots = new Slots(options.settings.concurrency);
    const { store, settings, attempts } = options;
    const onTrouble = (error: unknown): void => this.#trouble('renewing leases', error);
    const { clock } = attempts.deliverer;
    const { leaseMs } = settings;
    this.#settling = new Settling({ store, observer: options.observer, clock });
    this.#nap = new Nap(clock);
    const keepOwn = (): Promise<void> => this.#leases.catchUp();
    this.#housekeeping = new Housekeeping({ ...options, leaseMs, clock, keepOwn });
    this.#leases = new Leases({ store, leaseMs, clock, by: () => this.by(), onTrouble });
  }

  get started(): boolean {
    return this.#started;
  }

  start(keepAlive: boolean): void {
    this.#nap.keepAlive ||= keepAlive;
    this.#started = true;
    this.poke();
  }

  /** Something may be due. */
  poke(): void {
    this.#poked = true;
    this.#nap.end();
    if (!this.#claiming && this.#started && !this.#closed) void this.#fill();
  }

  /** A claim for now. */
  by(): ClaimBy {
    const { holder, settings } = this.#options;
    return { holder, leaseUntil: this.#now() + settings.leaseMs };
  }

  /** Takes a worker and a place in each domain's share for new mail, if any are to spare: for `run`, or `yieldPlaces`. */
  takePlaces(entries: readonly QueueEntry[]): boolean {
    const spare = Math.ceil(this.slots.total / RETRY_WORKERS);
    if (!this.#started || this.#closed || this.slots.free <= (this.slots.total > 1 ? spare : 0)) return false;
    if (!this.shares.takeAll(entries.map(({ domain }) => domain))) return false;
    this.slots.take(1);
    return true;
  }

  yieldPlaces(entries: readonly QueueEntry[]): void {
    for (const { domain } of entries) this.shares.leave(domain);
    this.slots.leave();
  }

  /** Waits for a worker and a place in each domain's share, however many wait; the claim's lease is renewed meanwhile. */
  async runWhenFree(claim: Claim): Promise<Attempted | undefined> {
    const running = this.#leases.enter(claim);
    const domains = claim.entries.map(({ entry }) => entry.domain);
    await this.slots.wait(() => this.shares.takeAll(domains));
    return await this.#underWay.track(this.#attempt(running));
  }

  /** Attempts a claim for which places are taken. Resolves once the result is stored; undefined if there is none. */
  run(claim: Claim): Promise<Attempted | undefined> {
    return this.#underWay.track(this.#attempt(this.#leases.enter(claim)));
  }

  /** Everything due now, once. */
  async runDue(): Promise<DeliveryOutcome[]> {
    await this.#housekeeping.run();
    const dueBy = this.#now();
    const outcomes: DeliveryOutcome[] = [];
    const running = new Set<Promise<void>>();
    const state = { stopped: false };
    for (;;) {
      const before = running.size;
      if (this.#housekeeping.isDue()) await this.#housekeeping.run();
      const claims = state.stopped || this.#closed ? [] : await this.#claim(dueBy);
      for (const claim of claims) {
        const run = this.run(claim).then((attempted) => {
          running.delete(run);
          if (attempted) outcomes.push(attempted.outcome);
          else state.stopped = true;
        });
        running.add(run);
      }
      // What ended during the look may have left what it came too early for.
      if (claims.length > 0 || running.size < before) continue;
      // What follows from these, as a bounce, is due as well.
      if (running.size > 0) await Promise.race(running);
      else if (this.slots.free === 0) await this.slots.wait().then(() => this.slots.leave());
      else return outcomes;
    }
  }

  /** Claims nothing more. */
  stop(): void {
    this.#closed = true;
    this.#settling.close();
    this.#nap.end();
  }

  /** Resolves when what is in flight has ended. */
  async close(): Promise<void> {
    this.stop();
    await this.#underWay.ended();
    this.#leases.close();
  }

  #now(): number {
    return this.#options.attempts.deliverer.clock.now();
  }

  async #fill(): Promise<void> {
    this.#claiming = true;
    try {
      while (this.#isOpen()) {
        this.#poked = false;
        if (this.#housekeeping.isDue()) await this.#housekeeping.run();
        const claims = this.slots.free > 0 ? await this.#claim(this.#now()) : [];
        for (const claim of claims) void this.run(claim);
        if (claims.length === 0 && !this.#wasPoked()) await this.#rest();
      }
    } catch (error) {
      this.#trouble('claiming', error);
      await this.#nap.take(TROUBLE_PAUSE_MS);
      if (this.#isOpen()) setImmediate(() => this.poke());
    } finally {
      this.#claiming = false;
    }
  }

  // The compiler does not see that these change while something is awaited.
  #isOpen(): boolean {
    return this.#started && !this.#closed;
  }

  #wasPoked(): boolean {
    return this.#poked;
  }

  /** Claims for as many workers as are free when the store gets to it. */
  async #claim(dueBy: number): Promise<Claim[]> {
    const { store } = this.#options;
    let taken = 0;
    const turns = (): ('new' | 'retry')[] => {
      this.slots.giveBack(taken);
      taken = this.#closed ? 0 : this.slots.free;
      this.slots.take(taken);
      return Array.from({ length: taken }, () => (++this.#turn % RETRY_WORKERS === 0 ? 'retry' : 'new'));
    };
    let used = 0;
    try {
      const claims = await store.claim({ by: this.by(), now: this.#now(), dueBy, turns, shares: this.shares });
      for (const { entries } of claims) for (const { entry } of entries) this.shares.take(entry.domain);
      used = claims.length;
      return claims;
    } finally {
      this.slots.giveBack(taken - used);
    }
  }

  async #rest(): Promise<void> {
    const { store, settings } = this.#options;
    const dueAt = this.slots.free > 0 ? await store.nextDueAt(this.shares) : undefined;
    if (this.#wasPoked()) return;
    // Never long: other processes may store mail, and the clock may be set.
    await this.#nap.take(Math.min(Math.max(1, (dueAt ?? Infinity) - this.#now()), settings.pollMs));
  }

  async #attempt(running: Leased): Promise<Attempted | undefined> {
    const { claim } = running;
    const { store, attempts } = this.#options;
    try {
      const attempted = await attemptClaim(attempts, claim, running.controller.signal);
      const settling = this.#settling.settle(claim, attempted);
      // The worker is free as soon as the store has the result: settling and claiming share a commit.
      this.#leave(running);
      await settling;
      return attempted;
    } catch (error) {
      this.#trouble('attempting', error);
      // The deliverer takes nothing more, so neither do we: until somebody starts the queue again.
      this.#started = false;
      this.#leave(running);
      await store.giveBack(claim.entries).catch((problem: unknown) => this.#trouble('giving back', problem));
      return undefined;
    } finally {
      // Until the result is stored, however long that takes, the mail is ours.
      this.#leases.leave(running);
    }
  }

  #leave(running: Leased): void {
    for (const { entry } of running.claim.entries) this.shares.leave(entry.domain);
    this.slots.leave();
    this.poke();
  }

  #trouble(during: string, error: unknown): void {
    this.#options.observer.trouble(during, error, this.#now());
  }
}
