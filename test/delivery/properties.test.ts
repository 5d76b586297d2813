/**
 * What holds whatever the routes, the relays and the app do. Scripts go by the recipient, and not
 * by how often a relay was asked, so that a relay does the same to the same recipient in any order.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Deliverer, defineRoutes } from 'smtp-routes';
import type { DelivererOptions, DeliveryEvent, DeliveryOutcome, OnEvent, PossiblyDeliveredPolicy } from 'smtp-routes';
import { assertAccounted, ManualClock, ScriptedTransport, seededRandom } from 'smtp-routes/testing';
import { MESSAGE, RELAYS, SENDER } from './set-up.js';

const RUNS = 150;
const IDS = ['a', 'b', 'c', 'd'] as const;
const DOMAINS = ['one.example', 'two.example', 'three.example'] as const;

/** What a relay does to all; the first entry is the most frequent. */
const FOR_ALL = [
  '250',
  'refused',
  'close@greeting',
  '554@greeting',
  '421@ehlo',
  '535@auth',
  '452@mail 4.3.1 full',
  '550@mail',
  '421@data',
  '554@data',
  'reset@body',
  '451@final-reply',
  '554@final-reply',
  '503@final-reply',
  'stall@mail',
] as const;

/** What leaves it open whether the message arrived. */
const UNCERTAIN = ['close@final-reply', 'stall@final-reply', '354@final-reply', 'raw@final-reply 2'] as const;

const FOR_ONE = ['450@rcpt', '550@rcpt 5.1.1', '452@rcpt 4.5.3 too many', '552@rcpt too many'] as const;

interface Behaviour {
  readonly all: string;
  /** Local part to RCPT line. */
  readonly own: Readonly<Record<string, string>>;
}

interface Scenario {
  readonly tiers: Readonly<Record<string, readonly (readonly string[])[]>>;
  readonly behaviours: Readonly<Record<string, Behaviour>>;
  readonly to: readonly string[];
  readonly policy: PossiblyDeliveredPolicy;
  readonly seed: number;
  readonly limit: number;
}

const behaviour = (lines: readonly string[], own: readonly string[]): fc.Arbitrary<Behaviour> =>
  fc.record({
    all: fc.constantFrom(...lines),
    own: fc.dictionary(fc.constantFrom('u0', 'u1', 'u2'), fc.constantFrom(...own), { maxKeys: 2 }),
  });

/** The relays in some order, some left out, cut into tiers. */
const tiers: fc.Arbitrary<readonly (readonly string[])[]> = fc
  .tuple(fc.shuffledSubarray([...IDS], { minLength: 1 }), fc.nat({ max: 3 }))
  .map(([ids, cut]) => [ids.slice(0, cut), ids.slice(cut)].filter(({ length }) => length > 0));

const recipients = fc.array(
  fc.oneof(
    {
      weight: 9,
      arbitrary: fc
        .tuple(fc.nat({ max: 4 }), fc.constantFrom(...DOMAINS))
        .map(([i, domain]) => `u${String(i)}@${domain}`),
    },
    { weight: 1, arbitrary: fc.constantFrom('nobody', 'U0@ONE.example', 'x@discarded.example', 'a@b\r\n') },
  ),
  { minLength: 1, maxLength: 6 },
);

const scenario = (lines: readonly string[], own: readonly string[] = FOR_ONE): fc.Arbitrary<Scenario> =>
  fc.record({
    tiers: fc.record({ 'one.example': tiers, 'two.example': tiers, 'three.example': tiers }),
    behaviours: fc.record(Object.fromEntries(IDS.map((id) => [id, behaviour(lines, own)]))),
    to: recipients,
    policy: fc.constantFrom<PossiblyDeliveredPolicy>('report', 'report', 'queue', 'next-relay', 'assume-delivered'),
    seed: fc.nat(),
    limit: fc.constantFrom(1, 2, Infinity),
  });

interface Ran {
  readonly outcomes: readonly DeliveryOutcome[];
  readonly transport: ScriptedTransport;
  readonly deliverer: Deliverer;
  readonly clock: ManualClock;
}

/** Delivers the same mail three times, two side by side and one afterwards; or once. */
async function run(
  it: Scenario,
  onEvent?: OnEvent,
  more: Partial<DelivererOptions> = {},
  times: 1 | 3 = 3,
): Promise<Ran> {
  const routes = defineRoutes({
    relays: RELAYS,
    routes: [
      ...DOMAINS.map((match) => ({ match, tiers: (it.tiers[match] ?? []).map((tier) => [...tier]) })),
      { match: 'discarded.example', action: 'discard' as const },
    ],
    otherwise: 'reject',
  });
  const scripts = Object.fromEntries(
    Object.entries(it.behaviours).map(([id, { all, own }]) => [
      id,
      ({ stage, recipient }: { stage: string; recipient?: string }) =>
        stage === 'rcpt' ? (own[recipient?.split('@')[0]?.toLowerCase() ?? ''] ?? all) : all,
    ]),
  );
  const clock = new ManualClock();
  const transport = new ScriptedTransport(scripts, { limit: it.limit });
  const deliverer = new Deliverer({
    routes,
    transport,
    clock,
    random: seededRandom(it.seed),
    attemptTimeoutMs: 1000,
    onPossiblyDelivered: it.policy,
    ...(onEvent && { onEvent }),
    ...more,
  });
  const mail = { envelope: { from: SENDER, to: it.to }, message: MESSAGE };
  const deliver = (id: number): Promise<DeliveryOutcome> => deliverer.deliver(mail, { id: String(id) });
  const outcomes = await clock.runUntil(Promise.all(times === 1 ? [deliver(1)] : [deliver(1), deliver(2)]));
  if (times === 3) outcomes.push(await clock.runUntil(deliver(3)));
  return { outcomes, transport, deliverer, clock };
}

const check = (name: string, arbitrary: fc.Arbitrary<Scenario>, predicate: (it: Scenario) => Promise<void>): void => {
  test(name, async () => {
    await fc.assert(fc.asyncProperty(arbitrary, predicate), { numRuns: RUNS });
  });
};

const anything = scenario([...FOR_ALL.slice(0, 1), ...FOR_ALL, ...UNCERTAIN]);

describe('in any delivery', () => {
  check('each recipient is settled once, in order, and nothing is left behind', anything, async (it) => {
    const { outcomes, transport, clock } = await run(it);
    for (const outcome of outcomes) {
      assertAccounted(it.to, outcome);
      expect(JSON.parse(JSON.stringify(outcome))).toEqual(outcome);
    }
    expect([clock.sleeping, transport.busy()]).toEqual([0, 0]);
  });

  check('after a 2xx final reply a recipient is never sent to again, and all bytes are equal', anything, async (it) => {
    const accepted = new Map<string, Set<string>>();
    const again: string[] = [];
    const { transport } = await run(it, (event) => {
      if (event.type !== 'attempt-started' && event.type !== 'attempt-ended') return;
      const done = accepted.get(event.id) ?? new Set();
      accepted.set(event.id, done);
      if (event.type === 'attempt-started') again.push(...event.recipients.filter((one) => done.has(one)));
      else for (const one of event.delivered) done.add(one);
    });
    expect(again).toEqual([]);
    for (const { body } of transport.trace) if (body) expect(String(body)).toBe(MESSAGE);
  });

  check('after a lost final reply no other relay is tried, unless the app says so', anything, async (it) => {
    const { outcomes } = await run(it);
    for (const { attempts } of outcomes) {
      attempts.forEach(({ failure, refused = [], recipients: all }, i) => {
        const isLost = failure?.kind === 'lost' && failure.phase === 'final-reply';
        if (!isLost || it.policy === 'next-relay') return;
        const concerned = all.filter((one) => !refused.some(({ recipient }) => recipient === one));
        for (const later of attempts.slice(i + 1)) {
          expect(later.recipients.filter((one) => concerned.includes(one))).toEqual([]);
        }
      });
    }
  });

  check('a recipient with relays in its plan has at least one attempt', anything, async (it) => {
    const { outcomes } = await run(it);
    for (const { recipients: all, attempts } of outcomes) {
      for (const { recipient, status } of all) {
        const domain = recipient.split('@')[1]?.toLowerCase() ?? '';
        if (!(domain in it.tiers)) continue;
        expect(status).not.toBe('discarded');
        expect(attempts.some((attempt) => attempt.recipients.includes(recipient))).toBe(true);
      }
    }
  });

  check('no mail is rejected for what a connection or a session met', anything, async (it) => {
    const { outcomes } = await run(it);
    for (const { recipients: all } of outcomes) {
      for (const result of all) {
        if (result.status !== 'rejected' || result.failure.kind === 'unroutable') continue;
        expect(result.failure).toMatchObject({ kind: 'reply' });
        expect(['envelope', 'data', 'final-reply']).toContain('phase' in result.failure && result.failure.phase);
      }
    }
  });

  check('nobody goes to a relay twice, but those it had no room for while it took others', anything, async (it) => {
    const { outcomes } = await run(it);
    for (const { attempts } of outcomes) {
      attempts.forEach(({ relay, recipients: all, failure, refused = [] }, i) => {
        const later = attempts.slice(i + 1).filter((attempt) => attempt.relay === relay);
        const again = all.filter((one) => later.some((attempt) => attempt.recipients.includes(one)));
        if (again.length > 0) expect(failure).toBeUndefined();
        expect(again.length).toBeLessThan(all.length);
        expect(again.filter((one) => refused.some(({ recipient }) => recipient === one))).toEqual([]);
      });
    }
  });

  check('a listener that throws changes nothing', anything, async (it) => {
    const quiet = await run(it, () => undefined);
    const loud = await run(it, () => {
      throw new Error('bug');
    });
    expect(loud.outcomes).toEqual(quiet.outcomes);
    expect(loud.transport.trace).toEqual(quiet.transport.trace);
  });

  check('a hook and a look-up that misbehave reject nothing', anything, async (it) => {
    const events: DeliveryEvent[] = [];
    const { outcomes } = await run(it, (event) => void events.push(event), {
      classify: () => {
        throw new Error('bug');
      },
      dns: { exchanges: () => Promise.reject(new Error('bug')) },
    });
    for (const outcome of outcomes) assertAccounted(it.to, outcome);
    expect(events.filter(({ type }) => type === 'settled')).toHaveLength(3);
  });
});

describe('among relays of which none accepts and none loses the final reply', () => {
  const REFUSING = FOR_ALL.filter((line) => line !== '250');
  /** What a relay has no room for depends on who else is asked for, and so on the relays before it. */
  const ROOMY = FOR_ONE.filter((line) => !line.endsWith('too many'));

  /** One delivery with one plan: two that wait for the same relay share what it said to one of them. */
  const statuses = async (it: Scenario): Promise<string[]> => {
    const { outcomes } = await run(it, undefined, {}, 1);
    return outcomes[0]!.recipients.map(({ recipient, status }) => `${recipient} ${status}`);
  };
  const samePlan = (it: Scenario, plan: readonly (readonly string[])[]): Scenario => ({
    ...it,
    policy: 'report',
    tiers: Object.fromEntries(DOMAINS.map((domain) => [domain, plan])),
  });

  test('what becomes of a recipient does not depend on their order', async () => {
    const order = fc.shuffledSubarray([...IDS], { minLength: 4 });
    await fc.assert(
      fc.asyncProperty(scenario(REFUSING, ROOMY), tiers, order, fc.nat({ max: 3 }), async (it, plan, inOrder, cut) => {
        const ids = inOrder.filter((id) => plan.flat().includes(id));
        const permuted = [ids.slice(0, cut), ids.slice(cut)].filter(({ length }) => length > 0);
        expect(await statuses(samePlan(it, permuted))).toEqual(await statuses(samePlan(it, plan)));
      }),
      { numRuns: RUNS },
    );
  });
});
