/**
 * Results that come when the claim has gone to somebody else, in the stores that claim their own
 * work. Of the engines: engines.test.ts.
 */
import { describe, expect, onTestFinished, test } from 'vitest';
import { DomainShares } from '../../src/queue/domain-shares.js';
import { MemoryStore } from '../../src/queue/memory/memory-store.js';
import { entriesFor } from '../../src/queue/queue-entry.js';
import type { ClaimedEntry, EntryResult, NewMail, QueueStore } from '../../src/queue/queue-store.js';
import { SqliteStore } from '../../src/queue/sqlite/sqlite-store.js';
import { drivers, scratch } from './sqlite-drivers.js';

const maxMessageBytes = 1_000_000;
const LEASE = 1000;
const nobodyIsDead = (): boolean => false;

function mail(id: string, to: readonly string[], body: NewMail['body'] = 'x'): NewMail {
  const message = { v: 1 as const, id, from: 'sender@example.net', arrivalAt: 0 };
  return { message, body, entries: entriesFor({ ...message, to }), named: true };
}

/** As of an attempt that was refused, and bounced. */
function failed({ key, token, entry: { domain, recipients } }: ClaimedEntry): EntryResult {
  const tally = { delivered: 0, discarded: 0, softBounces: 0, hardBounces: { '5xx': recipients.length } };
  return { key, token, domain, had: recipients.length, gone: [], next: { then: 'done' }, tally };
}

function delivered(claimed: ClaimedEntry): EntryResult {
  const gone = claimed.entry.recipients.map(({ recipient }) => recipient);
  const tally = { delivered: gone.length, discarded: 0, softBounces: 0, hardBounces: {} };
  return { ...failed(claimed), gone, tally };
}

async function claimed(store: QueueStore, holder: string, now: number): Promise<readonly ClaimedEntry[]> {
  const by = { holder, leaseUntil: now + LEASE };
  const request = { by, now, dueBy: now, turns: () => ['new' as const], shares: new DomainShares(10) };
  return (await store.claim(request)).flatMap(({ entries }) => entries);
}

async function ids(store: QueueStore): Promise<string[]> {
  const { entries } = await store.show({ filter: {}, now: 0, after: 0, limit: 10 });
  return entries.map(({ id }) => id);
}

const stores: readonly { name: string; missing?: string; open: () => QueueStore }[] = [
  { name: 'memory', open: () => new MemoryStore({ maxMessageBytes }) },
  ...drivers.map((driver) => ({
    name: driver.name,
    ...(driver.missing !== undefined && { missing: driver.missing }),
    open: () => {
      const folder = scratch();
      const database = driver.open(folder.file);
      onTestFinished(() => {
        database.close();
        folder.remove();
      });
      return new SqliteStore({ database, maxMessageBytes, lockTimeoutMs: 100, holder: 'A' });
    },
  })),
];

describe.each(stores)('$name', ({ missing, open }) => {
  const there = test.skipIf(missing !== undefined);

  there('a late failure stores no bounce, whatever its length', async () => {
    const store = open();
    await store.put(mail('first', ['one@a.test']), undefined);
    const late = await claimed(store, 'A', 0);
    await store.freeClaims(LEASE, nobodyIsDead);
    for (const body of ['short', Buffer.alloc(700_000, 'x')]) {
      const bounce = mail('bounce', ['sender@example.net'], body);
      const settled = await store.settle({ now: LEASE, results: late.map(failed), mail: [bounce] });
      expect(settled).toEqual({ lost: late.map(({ key }) => key), done: false, woken: [] });
    }
    expect(await ids(store)).toEqual(['first']);
    expect((await store.counters()).hardBounces['5xx']).toBe(0);
  });

  there('a result that is late for some of its entries stores its bounce', async () => {
    const store = open();
    await store.put(mail('first', ['one@a.test', 'two@b.test']), undefined);
    const [one, two] = await claimed(store, 'A', 0);
    if (!one || !two) throw new Error('nothing was claimed');
    await store.renew({ holder: 'A', leaseUntil: 2 * LEASE }, [two]);
    await store.freeClaims(LEASE, nobodyIsDead);
    const bounce = mail('bounce', ['sender@example.net']);
    const { lost } = await store.settle({ now: LEASE, results: [failed(one), failed(two)], mail: [bounce] });
    expect(lost).toEqual([one.key]);
    expect(await ids(store)).toEqual(['first', 'bounce']);
  });

  there('a late delivery ends what somebody else has in flight, and is counted once', async () => {
    const store = open();
    await store.put(mail('first', ['one@a.test']), undefined);
    const late = await claimed(store, 'A', 0);
    await store.freeClaims(LEASE, nobodyIsDead);
    const now = await claimed(store, 'B', LEASE);
    expect(now).toHaveLength(1);
    expect((await store.settle({ now: LEASE, results: late.map(delivered), mail: [] })).done).toBe(true);
    // B dies, or does not: there is nothing to free, nor to settle.
    expect(await store.freeClaims(3 * LEASE, nobodyIsDead)).toEqual({ dead: 0, silent: 0 });
    expect(await store.renew({ holder: 'B', leaseUntil: 4 * LEASE }, now)).toEqual(now.map(({ key }) => key));
    const bounce = mail('bounce', ['sender@example.net']);
    expect((await store.settle({ now: LEASE, results: now.map(failed), mail: [bounce] })).lost).toHaveLength(1);
    expect(await ids(store)).toEqual([]);
    expect(await store.counters()).toMatchObject({ active: 0, inFlight: 0, held: 0, delivered: 1 });
    expect((await store.put(mail('first', ['one@a.test']), undefined)).known).toBe(true);
  });
});
