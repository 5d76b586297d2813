/**
 * Changes of records, one at a time for each: read, take a pure step, store if nobody was quicker,
 * else again from what is there now.
 */
import { randomInt } from 'node:crypto';
import { NewerEntryError } from '../queue-entry.js';
import type { SetAside } from '../queue-store.js';
import type { Arrival, Engine, StoredRecord } from './engine.js';
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

/** Of PostgreSQL's `integer`. 0 is a message's first. */
const MOST_VERSION = 2 ** 30;
/** How long what a newer version of this package wrote is left alone, before looking at it again. */
const NEWER_PAUSE_MS = 60_000;

export class RecordChanges {
  readonly #engine: Engine;
  readonly #onSetAside: (what: SetAside) => void;
  /** Messages in flight here, as we stored them last. If somebody else did meanwhile, the commit says so. */
  readonly #ours = new Map<number, StoredRecord>();

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
    step: (record: MailRecord, stored: StoredRecord) => Stepped<T> | undefined,
  ): Promise<T | undefined> {
    let stored = typeof from === 'number' ? (this.#ours.get(from) ?? (await this.#engine.read([from]))[0]) : from;
    while (stored) {
      const record = await this.#parse(stored, now);
      const stepped = record && step(record, stored);
      if (!stepped) return undefined;
      const { to, changes = [], mail = [], isOurs = false, value } = stepped;
      const wanted = 'alarm' in stepped ? stepped.alarm : to && alarmOf(to);
      const { job = isSame(wanted, stored.alarm) ? 'keep' : 'set' } = stepped;
      // A job that is kept stays in its lane, whatever the record would say.
      const alarm = job === 'keep' && wanted && stored.alarm ? { ...wanted, lane: stored.alarm.lane } : wanted;
      const all = changesBetween(record, to, changes);
      const { seq } = stored;
      const next = randomInt(1, MOST_VERSION);
      const committed = await this.#engine.commit({
        before: stored,
        from: record,
        to,
        next,
        alarm,
        job,
        changes: all,
        mail,
        now,
      });
      this.#ours.delete(seq);
      if (committed) {
        if (isOurs && to) this.noteOurs({ seq, version: next, data: JSON.stringify(to), ...(alarm && { alarm }) });
        return value;
      }
      [stored] = await this.#engine.read([seq]);
    }
    return undefined;
  }

  /** What was just stored, with something in it claimed here. */
  noteOurs(stored: StoredRecord): void {
    this.#ours.set(stored.seq, stored);
  }

  async #parse(stored: StoredRecord, now: number): Promise<MailRecord | undefined> {
    try {
      const record = readRecord(stored.data);
      if (record) return record;
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
