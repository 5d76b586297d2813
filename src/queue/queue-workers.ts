/**
 * The workers of a queue in this process: so many claims at once, each attempted, settled and
 * followed by the next; leases renewed meanwhile; sleep when nothing is due.
 */
import type { DeliveryOutcome } from '../core/outcome.js';
import { attemptClaim, type AttemptServices } from './attempt-claim.js';
import { DomainShares } from './domain-shares.js';
import type { QueueEntry } from './queue-entry.js';
import type { QueueObserver } from './queue-observer.js';
import type { QueueSettings } from './queue-options.js';
import type { Claim, ClaimBy, QueueStore } from './queue-store.js';
import { Slots } from './slots.js';

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
/** How often to look for claims of the dead, if leases are not shorter. */
const LOOK_AFTER_MS = 60_000;

interface Running {
  readonly claim: Claim;
  readonly controller: AbortController;
}

export class QueueWorkers {
  readonly shares: DomainShares;
  readonly slots: Slots;
  readonly #options: WorkersOptions;
  readonly #running = new Set<Running>();
  readonly #ends = new Set<Promise<unknown>>();
  #started = false;
  #keepAlive = false;
  #closed = false;
  #claiming = false;
  #poked = false;
  #sleep: AbortController | undefined;
  #lease: AbortController | undefined;
  #turn = 0;
  #lookAt = -Infinity;
  #lookedAt = -Infinity;

  constructor(options: WorkersOptions) {
    this.#options = options;
    this.shares = new DomainShares(options.settings.perDomain);
    this.slots = new Slots(options.settings.concurrency);
  }

  get started(): boolean {
    return this.#started;
  }

  start(keepAlive: boolean): void {
    this.#keepAlive ||= keepAlive;
    this.#started = true;
    this.poke();
  }

  /** Something may be due. */
  poke(): void {
    this.#poked = true;
    this.#sleep?.abort();
    if (!this.#claiming && this.#started && !this.#closed) void this.#fill();
  }

  /** A claim for now. */
  by(): ClaimBy {
    const { holder, settings } = this.#options;
    return { holder, leaseUntil: this.#now() + settings.leaseMs };
  }

  /**
   * Takes a worker and a place in each domain's share for new mail, if there are any to spare; they
   * are then `run`'s, or given back by `yieldPlaces`.
   */
  takePlaces(entries: readonly QueueEntry[]): boolean {
    const spare = Math.ceil(this.slots.total / RETRY_WORKERS);
    if (!this.#started || this.#closed || this.slots.free <= (this.slots.total > 1 ? spare : 0)) return false;
    if (!entries.every(({ domain }) => this.shares.hasRoom(domain))) return false;
    this.slots.take(1);
    for (const { domain } of entries) this.shares.take(domain);
    return true;
  }

  yieldPlaces(entries: readonly QueueEntry[]): void {
    for (const { domain } of entries) this.shares.leave(domain);
    this.slots.leave();
  }

  /** Waits for a worker, however many wait; the claim's lease is renewed meanwhile. */
  async runWhenFree(claim: Claim): Promise<DeliveryOutcome | undefined> {
    const running = this.#enter(claim);
    await this.slots.wait();
    for (const { entry } of claim.entries) this.shares.take(entry.domain);
    return await this.#track(this.#attempt(running));
  }

  /** Attempts a claim for which places are taken. Resolves once the result is stored; undefined if there is none. */
  run(claim: Claim): Promise<DeliveryOutcome | undefined> {
    return this.#track(this.#attempt(this.#enter(claim)));
  }

  /** Everything due now, once. */
  async runDue(): Promise<DeliveryOutcome[]> {
    await this.#free();
    const dueBy = this.#now();
    const outcomes: DeliveryOutcome[] = [];
    const running = new Set<Promise<void>>();
    let stopped = false;
    for (;;) {
      const claims = stopped ? [] : await this.#claim(dueBy);
      for (const claim of claims) {
        const run = this.run(claim).then((outcome) => {
          running.delete(run);
          if (outcome) outcomes.push(outcome);
          else stopped = true;
        });
        running.add(run);
      }
      if (claims.length > 0) continue;
      // What follows from these, as a bounce, is due as well.
      if (running.size > 0) await Promise.race(running);
      else if (this.slots.free === 0) await this.slots.wait().then(() => this.slots.leave());
      else return outcomes;
    }
  }

  /** Claims nothing more, and resolves when what is in flight has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#sleep?.abort();
    while (this.#ends.size > 0) await Promise.all(this.#ends);
    this.#lease?.abort();
  }

  #now(): number {
    return this.#options.attempts.deliverer.clock.now();
  }

  async #fill(): Promise<void> {
    this.#claiming = true;
    try {
      while (this.#isOpen()) {
        this.#poked = false;
        if (this.#isTimeToLook()) await this.#free();
        const claims = this.slots.free > 0 ? await this.#claim(this.#now()) : [];
        for (const claim of claims) void this.run(claim);
        if (claims.length === 0 && !this.#wasPoked()) await this.#rest();
      }
    } catch (error) {
      this.#trouble('claiming', error);
      await this.#pause(TROUBLE_PAUSE_MS);
      if (this.#isOpen()) setImmediate(() => this.poke());
    } finally {
      this.#claiming = false;
    }
  }

  /** Also when the clock was set back: the time would be long in coming. */
  #isTimeToLook(): boolean {
    const now = this.#now();
    return now >= this.#lookAt || now < this.#lookedAt;
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
      taken = this.slots.free;
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
    await this.#pause(Math.min(Math.max(1, (dueAt ?? Infinity) - this.#now()), settings.pollMs));
  }

  async #pause(ms: number): Promise<void> {
    const { clock } = this.#options.attempts.deliverer;
    this.#sleep = new AbortController();
    const { signal } = this.#sleep;
    try {
      await (clock.doze && !this.#keepAlive ? clock.doze(ms, signal) : clock.sleep(ms, signal));
    } catch {
      // Woken.
    } finally {
      this.#sleep = undefined;
    }
  }

  #enter(claim: Claim): Running {
    const running = { claim, controller: new AbortController() };
    this.#running.add(running);
    if (!this.#lease) void this.#keepLeases();
    return running;
  }

  #track<T>(run: Promise<T>): Promise<T> {
    this.#ends.add(run);
    return run.finally(() => this.#ends.delete(run));
  }

  async #attempt(running: Running): Promise<DeliveryOutcome | undefined> {
    const { claim } = running;
    const { store, attempts } = this.#options;
    try {
      const attempted = await attemptClaim(attempts, claim, running.controller.signal);
      const settling = this.#settle(claim, attempted);
      // The worker is free as soon as the store has the result: settling and claiming share a commit.
      this.#leave(running);
      await settling;
      return attempted.outcome;
    } catch (error) {
      this.#trouble('attempting', error);
      // The deliverer takes nothing more, so neither do we: until somebody starts the queue again.
      this.#started = false;
      this.#leave(running);
      await store.giveBack(claim.entries).catch((problem: unknown) => this.#trouble('giving back', problem));
      return undefined;
    }
  }

  async #settle(claim: Claim, { settlement, events }: Awaited<ReturnType<typeof attemptClaim>>): Promise<void> {
    const { store, observer } = this.#options;
    for (;;) {
      try {
        const { lost, done, woken } = await store.settle(settlement);
        const at = this.#now();
        const { id } = claim.message;
        for (const event of events) observer.emit(event);
        const gone = settlement.results.flatMap((result) => (lost.includes(result.key) ? result.gone : []));
        if (lost.length > 0) observer.emit({ type: 'lease-lost', at, id, delivered: gone });
        for (const one of woken) observer.emit({ type: 'woken', at, ...one });
        if (done) observer.emit({ type: 'done', at, id });
        return;
      } catch (error) {
        // What a server has accepted must not be forgotten: the lease is kept and the result is tried again.
        this.#trouble('settling', error);
        // Who closes does not wait for a disk to be mended. What was delivered may then be sent again.
        if (this.#closed) return;
        await this.#options.attempts.deliverer.clock.sleep(TROUBLE_PAUSE_MS);
      }
    }
  }

  #leave(running: Running): void {
    this.#running.delete(running);
    for (const { entry } of running.claim.entries) this.shares.leave(entry.domain);
    this.slots.leave();
    this.poke();
  }

  /** Renews what is in flight every third of a lease, for as long as something is. */
  async #keepLeases(): Promise<void> {
    const { store, settings, attempts } = this.#options;
    const { clock } = attempts.deliverer;
    this.#lease = new AbortController();
    const { signal } = this.#lease;
    const wait = (ms: number): Promise<void> => clock.doze?.(ms, signal) ?? clock.sleep(ms, signal);
    try {
      while (this.#running.size > 0) {
        await wait(settings.leaseMs / 3);
        const running = [...this.#running];
        const lost = new Set(
          await store.renew(
            this.by(),
            running.flatMap(({ claim }) => claim.entries),
          ),
        );
        for (const { claim, controller } of running) {
          // Somebody else is at it: what has not left yet must not leave twice.
          if (claim.entries.some(({ key }) => lost.has(key))) controller.abort();
        }
      }
    } catch (error) {
      if (!signal.aborted) this.#trouble('renewing leases', error);
    } finally {
      this.#lease = undefined;
      if (this.#running.size > 0 && !signal.aborted) void this.#keepLeases();
    }
  }

  async #free(): Promise<void> {
    const { store, isDead, observer, settings } = this.#options;
    const at = this.#now();
    this.#lookedAt = at;
    this.#lookAt = at + Math.min(settings.leaseMs / 3, LOOK_AFTER_MS);
    try {
      const { dead, silent } = await store.freeClaims(at, isDead);
      if (dead > 0) observer.emit({ type: 'claims-freed', at, entries: dead, why: 'dead' });
      if (silent > 0) observer.emit({ type: 'claims-freed', at, entries: silent, why: 'silent' });
      await store.tidy(at);
    } catch (error) {
      this.#trouble('freeing claims', error);
    }
  }

  #trouble(during: string, error: unknown): void {
    const known = error instanceof Error ? error : new Error(String(error));
    this.#options.observer.emit({ type: 'trouble', at: this.#now(), during, error: known });
  }
}
