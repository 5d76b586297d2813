/**
 * Claims on an engine: jobs whose time has come, and of their messages what may go out now.
 */
import type { Clock } from '../../delivery/system-clock.js';
import type { DomainShares } from '../domain-shares.js';
import type { Claim, ClaimBy, ClaimedEntry, ClaimRequest, SetAside } from '../queue-store.js';
import type { DomainPace } from './domain-pace.js';
import type { EngineBodies } from './engine-bodies.js';
import type { Engine, StoredRecord, Suspended } from './engine.js';
import { alarmOf, type MailRecord } from './mail-record.js';
import type { OwnClaims } from './own-claims.js';
import type { RecordChanges } from './record-changes.js';
import { claimEntries, isSilent } from './record-steps.js';

/** Entries claimed together, their body still to be opened. */
export interface Taken {
  readonly seq: number;
  readonly record: MailRecord;
  readonly claimed: readonly ClaimedEntry[];
  readonly inline?: Uint8Array | undefined;
}

/** Where all that comes up is for domains without room, so often it is put off before others get a turn. */
const ROUNDS = 8;
/** A suspended domain's mail is looked at so often; `resume` rings at once. */
const SUSPENDED_PAUSE_MS = 3_600_000;

export interface EngineClaimsOptions {
  readonly engine: Engine;
  readonly changes: RecordChanges;
  readonly bodies: EngineBodies;
  readonly pace: DomainPace;
  readonly own: OwnClaims;
  readonly clock: Clock;
  readonly onSetAside: (what: SetAside) => void;
}

export class EngineClaims {
  readonly #engine: Engine;
  readonly #changes: RecordChanges;
  readonly #bodies: EngineBodies;
  readonly #pace: DomainPace;
  readonly #own: OwnClaims;
  readonly #clock: Clock;
  readonly #onSetAside: (what: SetAside) => void;
  /** Claims taken over from silent holders, since last asked. */
  #silent = 0;
  /** Messages put off since their domain is suspended, until it is looked at once more. */
  #putOff: { readonly seq: number; readonly domain: string }[] = [];

  constructor({ engine, changes, bodies, pace, own, clock, onSetAside }: EngineClaimsOptions) {
    this.#engine = engine;
    this.#changes = changes;
    this.#bodies = bodies;
    this.#pace = pace;
    this.#own = own;
    this.#clock = clock;
    this.#onSetAside = onSetAside;
  }

  async claimDue({ by, now, dueBy, turns, shares }: ClaimRequest): Promise<Claim[]> {
    const suspended = await this.#engine.suspended();
    if (suspended.all) return [];
    const room = new Room(shares, suspended, this.#pace, now);
    const taken: Taken[] = [];
    let wanted = turns();
    for (let round = 0; wanted.length > 0 && round < ROUNDS; round++) {
      const fetched = await this.#fetch(wanted);
      const got = await Promise.all(fetched.map((stored) => this.#take(stored, by, now, dueBy, room)));
      const claims = got.flatMap((one) => (one === undefined || one === 'early' ? [] : [one]));
      taken.push(...claims);
      wanted = wanted.slice(claims.length);
      if (fetched.length === 0 || got.includes('early')) break;
    }
    // What fails here is done with the next claim; this one's mail must not be lost sight of.
    await this.#ringResumed(now).catch(() => undefined);
    return await this.withBodies(taken);
  }

  /** Somebody may have resumed a domain, and rung for all its mail, just before some of it was put off here. */
  async #ringResumed(now: number): Promise<void> {
    if (this.#putOff.length === 0) return;
    const { domains } = await this.#engine.suspended();
    const resumed = new Set(this.#putOff.flatMap(({ seq, domain }) => (domains.has(domain) ? [] : seq)));
    await Promise.all([...resumed].map((seq) => this.#changes.change(seq, now, (to) => ({ to, value: true }))));
    this.#putOff = [];
  }

  async #fetch(wanted: readonly ('new' | 'retry')[]): Promise<StoredRecord[]> {
    const fresh = wanted.filter((turn) => turn === 'new').length;
    const counts = { new: fresh, retry: wanted.length - fresh };
    const [young, old] = await Promise.all([
      counts.new > 0 ? this.#engine.fetch('new', counts.new) : [],
      counts.retry > 0 ? this.#engine.fetch('retry', counts.retry) : [],
    ]);
    const all = [...young, ...old];
    const left = wanted.length - all.length;
    if (left === 0) return all;
    // Turns that one lane left are the other's, if it may have more.
    if (young.length === counts.new) return [...all, ...(await this.#engine.fetch('new', left))];
    return old.length === counts.retry ? [...all, ...(await this.#engine.fetch('retry', left))] : all;
  }

  /** `early`: the engine's clock is before ours, or somebody asked for what was due at an earlier time. */
  async #take(
    stored: StoredRecord,
    by: ClaimBy,
    now: number,
    dueBy: number,
    room: Room,
  ): Promise<Taken | 'early' | undefined> {
    const { seq, inline } = stored;
    return await this.#changes.change<Taken | 'early' | undefined>(stored, now, (record) => {
      const isDue = record.entries.some(
        (one) => isSilent(one, now) || (one.status === 'waiting' && one.dueAt <= (one.kind === 'new' ? now : dueBy)),
      );
      if (!isDue) return { to: record, job: 'set', value: waitsUntil(record, now) ? undefined : 'early' };
      const notBefore = new Map<string, number>();
      const { after, claimed } = claimEntries(record, seq, by, (one) => {
        const { status, dueAt, entry } = one;
        if (status === 'waiting' ? dueAt > now : !isSilent(one, now)) return false;
        const until = room.take(entry.domain);
        if (until !== undefined) notBefore.set(entry.domain, until);
        if (room.isSuspended(entry.domain)) this.#putOff.push({ seq, domain: entry.domain });
        else if (status === 'in-flight') this.#silent++;
        return until === undefined;
      });
      const alarm = alarmOf(after, notBefore);
      // The engine brings it up again at the end of its lease, which is ours.
      const job = claimed.length > 0 && alarm?.at === by.leaseUntil ? 'keep' : 'set';
      const value = claimed.length > 0 ? { seq, record: after, claimed, inline } : undefined;
      return { to: after, alarm, job, isOurs: claimed.length > 0, value };
    });
  }

  /** Claims whose body is there; the others are given back to nobody, and told of. */
  async withBodies(taken: readonly Taken[]): Promise<Claim[]> {
    const bodies = await this.#bodies.open(taken);
    for (const { claimed } of taken) this.#own.note(claimed, this.#clock.now());
    return taken.flatMap(({ record: { message }, claimed }, i): Claim[] => {
      const body = bodies[i];
      if (body !== undefined) return [{ message, body, entries: claimed }];
      this.#onSetAside({ id: message.id, reason: 'its body is missing' });
      return [];
    });
  }

  takenFromSilent(): number {
    const count = this.#silent;
    this.#silent = 0;
    return count;
  }
}

/** Whether something of the record is in flight elsewhere, which is why it came up for nothing. */
function waitsUntil({ entries }: MailRecord, now: number): boolean {
  return entries.some(({ status, leaseUntil = 0 }) => status === 'in-flight' && leaseUntil > now);
}

/** Who has room in this round of claims. */
class Room {
  readonly #shares: DomainShares;
  readonly #suspended: Suspended;
  readonly #pace: DomainPace;
  readonly #now: number;
  readonly #taken = new Map<string, number>();

  constructor(shares: DomainShares, suspended: Suspended, pace: DomainPace, now: number) {
    this.#shares = shares;
    this.#suspended = suspended;
    this.#pace = pace;
    this.#now = now;
  }

  isSuspended(domain: string): boolean {
    return this.#suspended.domains.has(domain);
  }

  /** Takes a place; if there is none, answers until when to put it off. */
  take(domain: string): number | undefined {
    if (this.isSuspended(domain)) return this.#now + SUSPENDED_PAUSE_MS;
    const taken = this.#taken.get(domain) ?? 0;
    if (!this.#shares.hasRoom(domain, taken)) return this.#pace.putOff(domain, this.#now);
    this.#taken.set(domain, taken + 1);
    return undefined;
  }
}
