/**
 * What follows an attempt, as a pure function: schedules, ends, and what may have arrived.
 */
import { describe, expect, it } from 'vitest';
import { bounceProfile, type DeliveryOutcome, type Failure, type RecipientOutcome } from 'smtp-routes';
import { nextStep, type QueueEntry, type StepInput } from 'smtp-routes/queue';

const USER = 'user@example.com';
const LATER: Failure = { kind: 'reply', phase: 'envelope', reply: { code: 450, text: 'later' } };
const LOST: Failure = { kind: 'lost', phase: 'final-reply', code: 'ECONNRESET', message: 'lost' };
const HOUR = 3_600_000;

function entryOf(...names: readonly string[]): QueueEntry {
  const recipients = names.map((recipient) => ({ recipient, attempts: 0, history: [] }));
  return { v: 1, domain: 'example.com', recipients, retries: 0 };
}

function outcomeOf(...recipients: readonly RecipientOutcome[]): DeliveryOutcome {
  return { id: 'm', recipients, attempts: [] };
}

const deferred = (recipient: string): RecipientOutcome => ({
  recipient,
  status: 'queue-for-later',
  failure: LATER,
  retryAt: 0,
});
const maybe = (recipient: string): RecipientOutcome => ({
  recipient,
  status: 'possibly-delivered',
  failure: LOST,
  relay: 'a',
});

function step(input: Partial<StepInput> = {}): ReturnType<typeof nextStep> {
  return nextStep({
    entry: entryOf(USER),
    outcome: outcomeOf(deferred(USER)),
    profile: bounceProfile(),
    onPossiblyDelivered: 'queue',
    now: 0,
    dice: 0.5,
    ...input,
  });
}

/** When the attempts of a message that is always deferred are, and how it ends. */
function schedule(profile = bounceProfile(), dice = 0.5): { readonly at: number[]; readonly end: Failure | undefined } {
  const at: number[] = [];
  let entry = entryOf(USER);
  for (let now = 0; ;) {
    at.push(now);
    const { next, failed } = step({ entry, profile, now, dice });
    if (next.then !== 'again') return { at, end: failed[0]?.failure };
    now = next.at;
    entry = next.entry;
  }
}

describe('the schedule', () => {
  it("is AsyncOS's: from 60 s, doubling, to 1 h, for 72 h", () => {
    const { at, end } = schedule();
    expect(at.slice(0, 9).map((ms) => ms / 1000)).toEqual([0, 60, 180, 420, 900, 1860, 3780, 7380, 10_980]);
    expect(at.at(-1), 'the last attempt is at the limit, not behind it').toBe(72 * HOUR);
    expect(at).toHaveLength(78);
    expect(end).toMatchObject({ kind: 'expired', enhanced: '5.4.7', last: LATER });
  });

  it('ends after maxRetries, whichever comes first', () => {
    expect(schedule(bounceProfile({ maxRetries: 2 })).at).toEqual([0, 60_000, 180_000]);
    expect(schedule(bounceProfile({ maxRetries: 0 })).at).toEqual([0]);
    expect(schedule(bounceProfile({ maxQueueTimeMs: 100_000 })).at).toEqual([0, 60_000, 100_000]);
  });

  it('is spread by the dice, never above maxRetryMs', () => {
    expect(schedule(bounceProfile({ maxRetries: 1 }), 0).at[1]).toBe(54_000);
    expect(schedule(bounceProfile({ maxRetries: 1 }), 0.999).at[1]).toBe(65_988);
    const waits = schedule(bounceProfile(), 0.999).at.map((at, i, all) => at - (all[i - 1] ?? at));
    expect(Math.max(...waits)).toBe(HOUR);
  });

  it('counts a clock that was set back as no time passed', () => {
    const { next } = step({ entry: { ...entryOf(USER), firstAttemptAt: 72 * HOUR }, now: 0 });
    expect(next).toMatchObject({ then: 'again', at: 60_000 });
  });

  it('an attempt before its time is one on top, after which the schedule goes on', () => {
    const entry: QueueEntry = { ...entryOf(USER), retries: 3, firstAttemptAt: 0, scheduledAt: 900_000 };
    expect(step({ entry, now: 500_000 }).next).toMatchObject({ then: 'again', at: 900_000, entry: { retries: 3 } });
    const late = step({ entry, now: 950_000 }).next;
    expect(late).toMatchObject({ then: 'again', at: 1_430_000, entry: { retries: 4 } });
    expect(late.then === 'again' && late.entry.scheduledAt).toBeUndefined();
  });
});

describe('recipients', () => {
  it('each goes its way, and only the open ones remain', () => {
    const names = ['a@x', 'b@x', 'c@x', 'd@x'].map((name) => `${name}.test`);
    const [a = '', b = '', c = '', d = ''] = names;
    const {
      next,
      delivered,
      discarded,
      failed,
      deferred: again,
    } = step({
      entry: entryOf(...names),
      outcome: outcomeOf(
        { recipient: a, status: 'delivered', relay: 'r' },
        { recipient: b, status: 'discarded' },
        { recipient: c, status: 'rejected', failure: { kind: 'unroutable', message: 'no route' } },
        deferred(d),
      ),
    });
    expect({ delivered, discarded, failed: failed.map((one) => one.recipient) }).toEqual({
      delivered: [a],
      discarded: [b],
      failed: [c],
    });
    expect(again.map(({ recipient, attempts }) => [recipient, attempts])).toEqual([[d, 1]]);
    expect(next.then === 'again' && next.entry.recipients.map(({ recipient }) => recipient)).toEqual([d]);
  });

  it('keep the latest tries, with what each relay said', () => {
    let entry = entryOf(USER);
    for (let now = 1; now <= 30; now++) {
      const attempts = [
        {
          relay: `r${String(now)}`,
          host: 'mx.test',
          port: 25,
          tier: 0,
          recipients: [USER],
          startedAt: now,
          endedAt: now,
          phase: 'envelope',
          failure: LATER,
        },
      ] as const;
      const { next } = step({ entry, now, outcome: { ...outcomeOf(deferred(USER)), attempts } });
      if (next.then !== 'again') throw new Error('it goes on');
      entry = next.entry;
    }
    const [kept] = entry.recipients;
    expect(kept).toMatchObject({ attempts: 30, lastAttemptAt: 30, remoteMta: 'mx.test', last: LATER });
    expect(kept?.history.map(({ relay }) => relay)).toEqual(Array.from({ length: 20 }, (_, i) => `r${String(i + 11)}`));
  });

  it('are bounced when their time is over, held ones are not', () => {
    const entry: QueueEntry = {
      ...entryOf(USER, 'held@example.com'),
      firstAttemptAt: 0,
      recipients: [
        { recipient: USER, attempts: 5, history: [] },
        { recipient: 'held@example.com', attempts: 5, history: [], held: true },
      ],
    };
    const { next, failed } = step({ entry, now: 80 * HOUR });
    expect(failed.map(({ recipient, attempts }) => [recipient, attempts])).toEqual([[USER, 6]]);
    expect(next.then).toBe('held');
  });
});

describe('what may have arrived', () => {
  it.each([
    ['queue', 'again'],
    ['report', 'held'],
    ['assume-delivered', 'done'],
  ] as const)('%s: %s', (onPossiblyDelivered, then) => {
    expect(step({ outcome: outcomeOf(maybe(USER)), onPossiblyDelivered }).next.then).toBe(then);
  });

  it('is bounced as expired, and no sooner, if it never gets an answer', () => {
    const { failed } = step({
      entry: { ...entryOf(USER), firstAttemptAt: 0, retries: 100 },
      outcome: outcomeOf(maybe(USER)),
    });
    expect(failed[0]?.failure).toMatchObject({ kind: 'expired', last: LOST });
  });
});

it('is plain data in and out', () => {
  const result = step();
  expect(JSON.parse(JSON.stringify(result))).toEqual(result);
});

describe('the end that a sender is told', () => {
  const until = (changes: Partial<StepInput>): number => step(changes).retryUntilAt;

  it('is that of maxQueueTimeMs, or of maxRetries if that is earlier', () => {
    expect(until({})).toBe(72 * HOUR);
    // 60 s have been thrown, the others may be 10 % longer: 132 s and 264 s.
    expect(until({ profile: bounceProfile({ maxRetries: 3 }) })).toBe((60 + 132 + 264) * 1000);
    expect(until({ profile: bounceProfile({ maxRetries: 3, maxQueueTimeMs: 100_000 }) })).toBe(100_000);
    expect(until({ profile: bounceProfile({ maxRetries: 20 }), dice: 1 - 2 ** -52 })).toBe(
      (66 + 132 + 264 + 528 + 1056 + 2112) * 1000 + 14 * HOUR,
    );
  });

  it('is where the schedule ends if the dice are high, and comes nearer if they are not', () => {
    const profile = bounceProfile({ maxRetries: 9 });
    const dice = 1 - 2 ** -52;
    let entry = entryOf(USER);
    const ends: number[] = [];
    for (let now = 0; ;) {
      const { next, retryUntilAt } = step({ entry, profile, now, dice });
      if (next.then !== 'again') {
        expect(new Set(ends)).toEqual(new Set([now]));
        break;
      }
      ends.push(retryUntilAt);
      entry = next.entry;
      now = next.at;
    }
    expect(ends).toHaveLength(9);
    entry = { ...entryOf(USER), retries: 1, firstAttemptAt: 0 };
    expect(until({ entry, profile, now: 60_000, dice: 0 })).toBeLessThan(
      until({ entry, profile, now: 60_000, dice: 0.9 }),
    );
  });

  it('does not move when mail was made due before its time', () => {
    const entry = { ...entryOf(USER), retries: 1, firstAttemptAt: 0, scheduledAt: 60_000 };
    expect(until({ entry, profile: bounceProfile({ maxRetries: 3 }), now: 10 })).toBe((60 + 132 + 264) * 1000);
  });

  it('is found at once, however many retries of however short a wait', () => {
    const profile = bounceProfile({ maxRetries: 1_000_000, initialRetryMs: 1, maxRetryMs: 1 });
    expect(until({ profile, dice: 0 })).toBe(1_000_000);
  });
});
