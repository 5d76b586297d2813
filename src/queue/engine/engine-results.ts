/**
 * Results of attempts on an engine, and what a success wakes.
 */
import { isLate, type Settled, type Settlement } from '../queue-store.js';
import { arrivalOf, recordOf } from './arrivals.js';
import type { EngineBodies } from './engine-bodies.js';
import type { Engine } from './engine.js';
import { JointLooks } from './joint-looks.js';
import { placeOf } from './mail-record.js';
import type { RecordChanges } from './record-changes.js';
import { makeDue, settleEntries } from './record-steps.js';

/** One success wakes no more than so many, whatever the size of wake-ups has grown to. */
const MOST_WOKEN = 1000;

export class EngineResults {
  readonly #engine: Engine;
  readonly #changes: RecordChanges;
  readonly #bodies: EngineBodies;
  readonly #retriesAt: JointLooks<number>;
  /** Settlements that failed, stored or not: the connection may have been lost at any point. */
  readonly #failed = new WeakSet<Settlement>();

  constructor(engine: Engine, changes: RecordChanges, bodies: EngineBodies) {
    this.#engine = engine;
    this.#changes = changes;
    this.#bodies = bodies;
    this.#retriesAt = new JointLooks((domains) => engine.retriesAt(domains));
  }

  async settle(settlement: Settlement): Promise<Settled> {
    try {
      return await this.#settle(settlement);
    } catch (error) {
      this.#failed.add(settlement);
      throw error;
    }
  }

  async #settle(settlement: Settlement): Promise<Settled> {
    const { now, results, mail } = settlement;
    const [first] = results;
    if (!first) return { lost: [], done: false, woken: [] };
    const { seq } = placeOf(first.key);
    const bodies = await Promise.all(mail.map(({ body }) => this.#bodies.take(body, Infinity)));
    const arrivals = mail.map((one, i) => arrivalOf(recordOf(one, bodies[i]), bodies[i]));
    const settled = await this.#changes.change(seq, now, (record) => {
      const { after, lost, changes } = settleEntries(record, seq, results, now);
      const late = isLate(settlement, lost);
      const value = { lost, done: after === undefined, body: after ? undefined : record.body, late };
      return { to: after, job: late && after ? 'keep' : 'set', changes, mail: late ? [] : arrivals, value };
    });
    const isLateOrGone = !settled || settled.late;
    if (isLateOrGone) for (const body of bodies) await this.#bodies.dropUnowned('key' in body ? body.key : undefined);
    // What finds nothing to settle, and has failed before, was stored then: while it is tried again the lease is kept.
    const wasStored = isLateOrGone && this.#failed.has(settlement);
    if (!settled && !wasStored) return { lost: results.map(({ key }) => key), done: false, woken: [] };
    await this.#bodies.drop(settled?.body);
    const lost = wasStored ? [] : (settled?.lost ?? []);
    const woken: { domain: string; entries: number }[] = [];
    for (const { key, domain, tally, wakeBefore } of results) {
      if (lost.includes(key)) continue;
      if (tally.softBounces > 0) await this.#engine.resetWake(domain);
      const entries = wakeBefore === undefined ? 0 : await this.#wake(domain, wakeBefore, now);
      if (entries > 0) woken.push({ domain, entries });
    }
    return { lost, done: settled?.done ?? true, woken };
  }

  /** Makes due what waits for a retry and was put off before a success. */
  async #wake(domain: string, before: number, now: number): Promise<number> {
    const next = await this.#retriesAt.ask(domain);
    // Not before what was woken last has been tried.
    if (next === undefined || next <= now) return 0;
    const size = Math.min(await this.#engine.takeWake(domain), MOST_WOKEN);
    const waiting = await this.#engine.waiting(domain, size);
    const woken = await Promise.all(
      waiting.map(({ seq }) =>
        this.#changes.change(seq, now, (record) => {
          let count = 0;
          const entries = record.entries.map((one) => {
            const { status, kind, setAt, entry } = one;
            const isMeant = entry.domain === domain && status === 'waiting' && kind === 'retry' && setAt < before;
            if (isMeant) count++;
            return isMeant ? makeDue(one, now) : one;
          });
          return count > 0 ? { to: { ...record, entries }, value: count } : undefined;
        }),
      ),
    );
    return woken.reduce<number>((sum, count = 0) => sum + count, 0);
  }
}
