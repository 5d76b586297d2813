/**
 * The store of a queue on an engine: `QueueStore` as steps over records, whatever engine keeps
 * records and jobs.
 */
import type { HostStatus, QueueCounters, ShownEntry, Suspension, TopHostsOptions } from '../delivery-queue.js';
import type { Clock } from '../../delivery/system-clock.js';
import type {
  Alteration,
  Altered,
  Claim,
  ClaimBy,
  ClaimedEntry,
  ClaimRequest,
  NewMail,
  Put,
  QueueStore,
  SetAside,
  Settled,
  Settlement,
  Window,
} from '../queue-store.js';
import { arrivalOf, recordOf } from './arrivals.js';
import { DomainPace } from './domain-pace.js';
import { EngineBodies } from './engine-bodies.js';
import { EngineClaims } from './engine-claims.js';
import { EngineLeases } from './engine-leases.js';
import { EngineResults } from './engine-results.js';
import { EngineWindows } from './engine-windows.js';
import type { Engine, Suspended } from './engine.js';
import { JointLooks } from './joint-looks.js';
import { keyOf, placeOf } from './mail-record.js';
import type { MessageStore } from './message-store.js';
import { OwnClaims } from './own-claims.js';
import { RecordChanges } from './record-changes.js';
import { claimEntries } from './record-steps.js';

export interface EngineStoreOptions {
  readonly engine: Engine;
  readonly messages: MessageStore;
  readonly maxMessageBytes: number;
  readonly perDomain: number;
  readonly clock: Clock;
}

/** Between two looks for what is due. */
const LEAST_PAUSE_MS = 20;

export class EngineStore implements QueueStore {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #pace: DomainPace;
  readonly #bodies: EngineBodies;
  readonly #changes: RecordChanges;
  readonly #claims: EngineClaims;
  readonly #windows: EngineWindows;
  readonly #results: EngineResults;
  readonly #leases: EngineLeases;
  readonly #suspended: JointLooks<Suspended>;
  readonly #own = new OwnClaims();
  onSetAside?: (what: SetAside) => void;

  constructor({ engine, messages, maxMessageBytes, perDomain, clock }: EngineStoreOptions) {
    const onSetAside = (what: SetAside): void => this.onSetAside?.(what);
    this.#engine = engine;
    this.#clock = clock;
    this.#pace = new DomainPace(perDomain);
    this.#bodies = new EngineBodies(engine, messages, maxMessageBytes);
    this.#changes = new RecordChanges(engine, onSetAside);
    this.#claims = new EngineClaims({
      engine,
      changes: this.#changes,
      bodies: this.#bodies,
      pace: this.#pace,
      own: this.#own,
      clock,
      onSetAside,
    });
    this.#results = new EngineResults(engine, this.#changes, this.#bodies);
    this.#leases = new EngineLeases(engine, this.#changes, this.#own, clock);
    this.#windows = new EngineWindows(engine, this.#changes, this.#bodies);
    this.#suspended = new JointLooks(async () => new Map([['', await engine.suspended()]]));
  }

  async put(mail: NewMail, claim: { readonly by: ClaimBy; readonly now: number } | undefined): Promise<Put> {
    const body = await this.#bodies.take(mail.body);
    const key = 'key' in body ? body.key : undefined;
    const suspended = claim && (await this.#suspended.ask(''));
    const isFree = (domain: string): boolean =>
      suspended !== undefined && !suspended.all && !suspended.domains.has(domain);
    // The number comes from the store; until then the places alone name the entries.
    const record = recordOf(mail, body);
    const { after, claimed } = claim
      ? claimEntries(record, 0, claim.by, ({ entry }) => isFree(entry.domain))
      : { after: record, claimed: [] };
    const arrival = arrivalOf(after, body);
    const { size } = record.message;
    const store = async (): Promise<{ readonly seq: number; readonly named: readonly ClaimedEntry[] } | undefined> => {
      const seq = await this.#engine.add(arrival);
      if (seq === undefined) return undefined;
      const named = claimed.map((one) => ({ ...one, key: keyOf(seq, placeOf(one.key).n) }));
      this.#own.note(named, this.#clock.now());
      return { seq, named };
    };
    // If this fails nobody knows whether the message is stored: its body is left, and swept if it is of nobody.
    const stored = await (claim ? this.#own.during(claim.by.holder, store) : store());
    if (!stored) {
      await this.#bodies.dropUnowned(key);
      return { known: true, size, claimed: [] };
    }
    const { seq, named } = stored;
    const { alarm } = arrival;
    if (named.length > 0) {
      this.#changes.noteOurs({ state: { seq, version: 0, ...(alarm && { alarm }) }, record: after });
    }
    return { known: false, size, claimed: named, body: this.#bodies.opened(body) };
  }

  async claim(request: ClaimRequest): Promise<Claim[]> {
    return await this.#own.during(request.by.holder, () => this.#claims.claimDue(request));
  }

  async claimMatching(by: ClaimBy, window: Window): Promise<Altered & { readonly claims: readonly Claim[] }> {
    return await this.#own.during(by.holder, async () => {
      const { taken, ...altered } = await this.#windows.claim(by, window);
      return { ...altered, claims: await this.#claims.withBodies(taken) };
    });
  }

  async settle(settlement: Settlement): Promise<Settled> {
    const at = this.#clock.now();
    const settled = await this.#results.settle(settlement);
    for (const result of settlement.results) {
      const since = this.#own.end(result);
      if (since !== undefined) this.#pace.took(result.domain, at - since);
    }
    return settled;
  }

  async giveBack(entries: readonly ClaimedEntry[]): Promise<void> {
    // If it fails they are ours by the engine and not in flight here, which is looked for.
    for (const one of entries) this.#own.end(one);
    await this.#leases.giveBack(entries);
  }

  renew(by: ClaimBy, entries: readonly ClaimedEntry[]): Promise<number[]> {
    return this.#leases.renew(by, entries);
  }

  async freeClaims(
    now: number,
    isDead: (holder: string) => boolean,
  ): Promise<{ readonly dead: number; readonly silent: number }> {
    await this.#leases.giveBackUnheard();
    const dead = await this.#leases.freeDead(now, isDead);
    // What is silent is the engine's to notice: it hands the job to the next worker.
    return { dead, silent: this.#claims.takenFromSilent() };
  }

  async nextDueAt(): Promise<number | undefined> {
    const at = await this.#engine.nextAlarmAt();
    // What is due and was not handed out a moment ago will not be in the next: the engine's clock is behind.
    return at === undefined ? undefined : Math.max(at, this.#clock.now() + LEAST_PAUSE_MS);
  }

  newest(): Promise<number> {
    return this.#engine.newest();
  }

  async alter(alteration: Alteration, window: Window): Promise<Altered> {
    return await this.#windows.alter(alteration, window);
  }

  show(window: Window): Promise<{ readonly entries: readonly ShownEntry[]; readonly next?: number }> {
    return this.#windows.show(window);
  }

  async suspend(domain: string | undefined, suspended: boolean): Promise<Suspension> {
    const changed = await this.#engine.suspend(domain, suspended);
    if (!suspended && domain !== undefined) await this.#windows.ring(domain, this.#clock.now());
    return domain === undefined ? { suspended, changed } : { domain, suspended, changed };
  }

  hostStatus(domain: string): Promise<HostStatus> {
    return this.#engine.hostStatus(domain);
  }

  topHosts(options: Required<TopHostsOptions>): Promise<HostStatus[]> {
    return this.#engine.topHosts(options);
  }

  counters(): Promise<QueueCounters> {
    return this.#engine.counters();
  }

  async tidy(now: number): Promise<void> {
    await this.#engine.mend(now);
    await this.#bodies.sweep(now);
  }

  async close(): Promise<void> {
    await this.#engine.close();
  }
}
