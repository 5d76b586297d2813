/**
 * Claims on an engine that go on, or end without a result.
 */
import type { Clock } from '../../delivery/system-clock.js';
import type { ClaimBy, ClaimedEntry } from '../queue-store.js';
import type { Engine } from './engine.js';
import { keyOf, placeOf, readRecordIfKnown } from './mail-record.js';
import type { OwnClaims } from './own-claims.js';
import type { RecordChanges } from './record-changes.js';
import { renewLeases, unclaim } from './record-steps.js';

const FREED_AT_ONCE = 500;

export class EngineLeases {
  readonly #engine: Engine;
  readonly #changes: RecordChanges;
  readonly #own: OwnClaims;
  readonly #clock: Clock;

  constructor(engine: Engine, changes: RecordChanges, own: OwnClaims, clock: Clock) {
    this.#engine = engine;
    this.#changes = changes;
    this.#own = own;
    this.#clock = clock;
  }

  /** Un-claims what was not tried: due as before. */
  async giveBack(entries: readonly ClaimedEntry[]): Promise<void> {
    const now = this.#clock.now();
    for (const [seq, claimed] of bySeq(entries)) {
      const tokens = new Map(claimed.map(({ key, token }) => [key, token]));
      await this.#changes.change(seq, now, (record) => {
        const to = unclaim(record, ({ n, token }) => tokens.get(keyOf(seq, n)) === token);
        return { to, job: 'set', value: true };
      });
    }
  }

  /** Answers the keys whose lease has gone to somebody else. */
  async renew({ leaseUntil }: ClaimBy, entries: readonly ClaimedEntry[]): Promise<number[]> {
    const now = this.#clock.now();
    const lost = await Promise.all(
      [...bySeq(entries)].map(async ([seq, claimed]) => {
        const renewed = await this.#changes.change(seq, now, (record) => {
          const { after, lost: gone } = renewLeases(record, seq, leaseUntil, claimed);
          // The job rings when the lease was to end, and is then set to when it ends now.
          return { to: after, job: 'keep', isOurs: true, value: gone };
        });
        return renewed ?? claimed.map(({ key }) => key);
      }),
    );
    return lost.flat();
  }

  /** Gives back what is ours by the engine, and not in flight here. */
  async giveBackUnheard(): Promise<void> {
    const { holder } = this.#own;
    if (holder === undefined) return;
    const stored = await this.#engine.read(await this.#engine.heldBy(holder, FREED_AT_ONCE));
    const held = stored.flatMap(({ seq, data }) =>
      (readRecordIfKnown(data)?.entries ?? [])
        .filter((one) => one.status === 'in-flight' && one.holder === holder)
        .map(({ n, token, entry }) => ({ key: keyOf(seq, n), token, entry })),
    );
    // Whoever made these claims, if he has not failed, notes them by the end of what is being made now.
    const isUnheard = (one: ClaimedEntry): boolean => !this.#own.isInFlight(one);
    const unheard = held.filter(isUnheard);
    await this.#own.made();
    await this.giveBack(unheard.filter(isUnheard));
  }

  /** Frees what dead processes hold. */
  async freeDead(now: number, isDead: (holder: string) => boolean): Promise<number> {
    let dead = 0;
    for (const holder of await this.#engine.holders()) {
      if (!isDead(holder)) continue;
      // What cannot be read stays held, and comes again.
      const seen = new Set<number>();
      for (;;) {
        const seqs = await this.#engine.heldBy(holder, FREED_AT_ONCE);
        if (seqs.length === 0) await this.#engine.forgetHolder(holder);
        const news = seqs.filter((seq) => !seen.has(seq));
        if (news.length === 0) break;
        for (const seq of news) {
          seen.add(seq);
          const freed = await this.#changes.change(seq, now, (record) => {
            const count = record.entries.filter((one) => one.holder === holder).length;
            return { to: unclaim(record, (one) => one.holder === holder), job: 'set', value: count };
          });
          dead += freed ?? 0;
        }
      }
    }
    return dead;
  }
}

function bySeq(entries: readonly ClaimedEntry[]): Map<number, ClaimedEntry[]> {
  const groups = new Map<number, ClaimedEntry[]>();
  for (const one of entries) {
    const { seq } = placeOf(one.key);
    groups.set(seq, [...(groups.get(seq) ?? []), one]);
  }
  return groups;
}
