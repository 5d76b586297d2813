/**
 * The queue on an engine as operators see and change it, a window at a time, in the order of
 * arrival.
 */
import type { ShownEntry } from '../delivery-queue.js';
import { noCounts } from '../domain-tally.js';
import type { Alteration, Altered, ClaimBy, Window } from '../queue-store.js';
import { fits, shownRecipients } from '../which-mail.js';
import type { EngineBodies } from './engine-bodies.js';
import type { Taken } from './engine-claims.js';
import type { Engine, Page } from './engine.js';
import {
  keyOf,
  placeOf,
  readRecordIfKnown,
  type DomainChange,
  type MailRecord,
  type RecordEntry,
} from './mail-record.js';
import type { RecordChanges } from './record-changes.js';
import { alterEntry, claimEntries } from './record-steps.js';

/** Entries a step of a search goes through. */
const SEARCH_WINDOW = 1000;

interface Sum {
  entries: number;
  recipients: number;
  inFlight: number;
}

export class EngineWindows {
  readonly #engine: Engine;
  readonly #changes: RecordChanges;
  readonly #bodies: EngineBodies;

  constructor(engine: Engine, changes: RecordChanges, bodies: EngineBodies) {
    this.#engine = engine;
    this.#changes = changes;
    this.#bodies = bodies;
  }

  async show(window: Window): Promise<{ readonly entries: readonly ShownEntry[]; readonly next?: number }> {
    const { filter, now, limit } = window;
    const { from, olderThanMs, status } = filter;
    const isSparse = from !== undefined || olderThanMs !== undefined || status !== undefined;
    const { keys, next } = await this.#keys({ ...window, limit: isSparse ? Math.max(limit, SEARCH_WINDOW) : limit });
    const records = new Map<number, MailRecord>();
    for (const { seq, data } of await this.#engine.read(seqsOf(keys))) {
      const record = readRecordIfKnown(data);
      if (record) records.set(seq, record);
    }
    const entries: ShownEntry[] = [];
    for (const key of keys) {
      const { seq, n } = placeOf(key);
      const record = records.get(seq);
      const one = record?.entries.find((entry) => entry.n === n);
      if (!record || !one || !fits(filter, now, factsOf(record, one))) continue;
      if (entries.push(shown(record, one)) === limit)
        return key === keys.at(-1) ? paged(entries, next) : { entries, next: key };
    }
    return paged(entries, next);
  }

  async alter(alteration: Alteration, window: Window): Promise<Altered> {
    return await this.#throughout(window, async (seq, isMeant, sum) => {
      const altered = await this.#changes.change(seq, window.now, (record) => {
        const did: Sum = { entries: 0, recipients: 0, inFlight: 0 };
        const changes: DomainChange[] = [];
        const entries = record.entries.flatMap((one) => {
          if (!isMeant(record, one)) return [one];
          if (one.status === 'in-flight') {
            did.inFlight++;
            return [one];
          }
          const altered = alterEntry(alteration, one, window.now);
          if (altered === 'same') return [one];
          const { domain, recipients } = one.entry;
          did.entries++;
          did.recipients += recipients.length;
          if (altered) return [altered];
          const counts = { ...noCounts(), removed: recipients.length };
          changes.push({ domain, active: 0, inFlight: 0, held: 0, counts });
          return [];
        });
        if (did.entries === 0) {
          // Nothing to store; what is in flight is counted all the same.
          add(sum, did);
          return undefined;
        }
        const to = entries.length > 0 ? { ...record, entries } : undefined;
        return { to, changes, value: { did, body: to ? undefined : record.body } };
      });
      await this.#bodies.drop(altered?.body);
      return altered;
    });
  }

  /** Claims what fits, due or not. */
  async claim(by: ClaimBy, window: Window): Promise<Altered & { readonly taken: readonly Taken[] }> {
    const taken: Taken[] = [];
    const altered = await this.#throughout(window, async (seq, isMeant, sum) => {
      const claim = await this.#changes.change(seq, window.now, (record) => {
        const did: Sum = { entries: 0, recipients: 0, inFlight: 0 };
        const { after, claimed } = claimEntries(record, seq, by, (one) => {
          if (!isMeant(record, one)) return false;
          if (one.status === 'in-flight') did.inFlight++;
          else {
            did.entries++;
            did.recipients += one.entry.recipients.length;
          }
          return one.status !== 'in-flight';
        });
        if (claimed.length > 0)
          return { to: after, isOurs: true, value: { did, taken: { seq, record: after, claimed } } };
        add(sum, did);
        return undefined;
      });
      if (claim) taken.push(claim.taken);
      return claim;
    });
    return { ...altered, taken };
  }

  /** Rings for all that waits for a domain, or at all: its own time holds again. */
  async ring(domain: string | undefined, now: number): Promise<void> {
    for (let after: number | undefined = 0; after !== undefined;) {
      const page: Page = { after, limit: SEARCH_WINDOW, ...(domain !== undefined && { domain }) };
      const keys = await this.#engine.keys(page);
      const stored = await this.#engine.read(seqsOf(keys));
      await Promise.all(stored.map((one) => this.#changes.change(one, now, (record) => ({ to: record, value: true }))));
      after = keys.length === SEARCH_WINDOW ? keys.at(-1) : undefined;
    }
  }

  async #keys({
    filter: { id, domain },
    after,
    upTo = Infinity,
    limit,
  }: Window): Promise<{ keys: number[]; next?: number }> {
    const page = { after, limit, ...(id !== undefined ? { id } : domain !== undefined && { domain }) };
    const found = await this.#engine.keys(page);
    const last = found.length === limit ? found.at(-1) : undefined;
    const keys = found.filter((key) => key <= upTo);
    return last === undefined || last >= upTo ? { keys } : { keys, next: last };
  }

  async #throughout(
    window: Window,
    act: (
      seq: number,
      isMeant: (record: MailRecord, one: RecordEntry) => boolean,
      sum: Sum,
    ) => Promise<{ readonly did: Sum } | undefined>,
  ): Promise<Altered> {
    const { keys, next } = await this.#keys(window);
    const inWindow = new Set(keys);
    const sum: Sum = { entries: 0, recipients: 0, inFlight: 0 };
    await Promise.all(
      seqsOf(keys).map(async (seq) => {
        const isMeant = (record: MailRecord, one: RecordEntry): boolean =>
          inWindow.has(keyOf(seq, one.n)) && fits(window.filter, window.now, factsOf(record, one));
        const done = await act(seq, isMeant, sum);
        if (done) add(sum, done.did);
      }),
    );
    return next === undefined ? sum : { ...sum, next };
  }
}

function seqsOf(keys: readonly number[]): number[] {
  return [...new Set(keys.map((key) => placeOf(key).seq))];
}

function add(sum: Sum, { entries, recipients, inFlight }: Sum): void {
  sum.entries += entries;
  sum.recipients += recipients;
  sum.inFlight += inFlight;
}

function paged(entries: ShownEntry[], next: number | undefined): { entries: ShownEntry[]; next?: number } {
  return next === undefined ? { entries } : { entries, next };
}

function factsOf(
  { message: { id, from, arrivalAt } }: MailRecord,
  { entry: { domain }, status }: RecordEntry,
): Pick<ShownEntry, 'id' | 'domain' | 'from' | 'arrivalAt' | 'status'> {
  return { id, domain, from, arrivalAt, status };
}

function shown(record: MailRecord, one: RecordEntry): ShownEntry {
  const { entry, status, dueAt } = one;
  return {
    ...factsOf(record, one),
    size: record.message.size,
    retries: entry.retries,
    ...(status !== 'held' && { nextAttemptAt: dueAt }),
    ...(entry.via && { via: entry.via }),
    recipients: shownRecipients(entry),
  };
}
