/**
 * Changes of records, one at a time for each: read, take a pure step, store if nobody was quicker,
 * else again from what is there now.
 */
import { randomInt } from 'node:crypto';
import { NewerEntryError } from '../queue-entry.js';
import type { SetAside } from '../queue-store.js';
import type { Arrival, Engine, RecordState, StoredRecord } from './engine.js';
import { alarmOf, changesBetween, readRecord, type Alarm, type DomainChange, type MailRecord } from './mail-record.js';

/** What a step makes of a record. */
export interface Stepped<T> {
  readonly to: MailRecord | undefined;
  /** Default: what the record says. */
  readonly alarm?: Alarm | undefined;
  /** Default: `set` if the alarm is another than before. */
  readonly job?: 'keep' | 'set';
  readonly changes?: readonly DomainChange[];
  readonly mail?: readonly Arrival[];
  /** Claimed here, or still: the next step most likely begins from this state, and need not read it. */
  readonly isOurs?: boolean;
  readonly value: T;
}

/** A record, and which state of it this is. */
export interface KnownRecord {
  readonly state: RecordState;
  readonly record: MailRecord;
}

/** Of PostgreSQL's `integer`. 0 is a message's first. */
const MOST_VERSION = 2 ** 30;
/** How long what a newer version of this package wrote is left alone, before looking at it again. */
const NEWER_PAUSE_MS = 60_000;

export class RecordChanges {
  readonly #engine: Engine;
  readonly #onSetAside: (what: SetAside) => void;
  /** Messages in flight here, as we stored them last. If somebody else did meanwhile, the commit says so. */
  readonly #ours = new Map<number, KnownRecord>();

  constructor(engine: Engine, onSetAside: (what: SetAside) => void) {
    this.#engine = engine;
    this.#onSetAside = onSetAside;
  }

  /**
   * Takes a step until it is stored. Undefined if the record is no more, or cannot be read, or if the
   * step answers that there is nothing to do.
   */
  async change<T>(
    from: StoredRecord | number,
    now: number,
    step: (record: MailRecord) => Stepped<T> | undefined,
  ): Promise<T | undefined> {
    let known = typeof from === 'number' ? await this.#knownOrRead(from, now) : await this.#parse(from, now);
    while (known) {
      const { state, record } = known;
      const stepped = step(record);
      if (!stepped) return undefined;
      const { to, changes = [], mail = [], isOurs = false, value } = stepped;
      const wanted = 'alarm' in stepped ? stepped.alarm : to && alarmOf(to);
      const { job = isSame(wanted, state.alarm) ? 'keep' : 'set' } = stepped;
      // A job that is kept stays in its lane, whatever the record would say.
      const alarm = job === 'keep' && wanted && state.alarm ? { ...wanted, lane: state.alarm.lane } : wanted;
      const { seq } = state;
      const next = randomInt(1, MOST_VERSION);
      const committed = await this.#engine.commit({
        before: state,
        from: record,
        to,
        next,
        alarm,
        job,
        changes: changesBetween(record, to, changes),
        mail,
        now,
      });
      this.#ours.delete(seq);
      if (committed) {
        if (isOurs && to) this.noteOurs({ state: { seq, version: next, ...(alarm && { alarm }) }, record: to });
        return value;
      }
      known = await this.#read(seq, now);
    }
    return undefined;
  }

  /** What was just stored, with something in it claimed here. */
  noteOurs(known: KnownRecord): void {
    this.#ours.set(known.state.seq, known);
  }

  async #knownOrRead(seq: number, now: number): Promise<KnownRecord | undefined> {
    return this.#ours.get(seq) ?? (await this.#read(seq, now));
  }

  async #read(seq: number, now: number): Promise<KnownRecord | undefined> {
    const [stored] = await this.#engine.read([seq]);
    return stored && (await this.#parse(stored, now));
  }

  async #parse(stored: StoredRecord, now: number): Promise<KnownRecord | undefined> {
    try {
      const record = readRecord(stored.data);
      if (record) return { state: stored, record };
      await this.#engine.postpone(stored, undefined);
      this.#onSetAside({ reason: `message ${String(stored.seq)}: it cannot be read` });
    } catch (error) {
      if (!(error instanceof NewerEntryError)) throw error;
      await this.#engine.postpone(stored, { lane: 'retry', at: now + NEWER_PAUSE_MS });
    }
    return undefined;
  }
}

function isSame(a: Alarm | undefined, b: Alarm | undefined): boolean {
  return a?.at === b?.at && a?.lane === b?.lane;
}
