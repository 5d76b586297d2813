/**
 * What this process knows of its relays: rotation credits, health, and who is trying what. The
 * decisions are pure functions of `core`; this holds the values they work on.
 */
import { nextChoice, type Candidate, type Choice, type Standing } from '../core/attempt-order.js';
import { classify } from '../core/classify.js';
import type { Failure } from '../core/failure.js';
import { afterFailure, afterSuccess, isCooled, unknownHealth, type Cooling, type RelayHealth } from '../core/health.js';
import { charged, refunded, startingCredits, type Charge, type Credits } from '../core/rotation.js';
import type { Relay } from '../core/relay.js';
import { BoundedMap } from './bounded-map.js';
import type { Interruption } from './interruption.js';
import type { Observer } from './observer.js';
import { RelayGate, type Admission, type Room } from './relay-gate.js';
import type { Clock } from './system-clock.js';

/** A plan's tiers, and the name that its rotation is kept under. */
export interface Rotation<Member extends Candidate = Candidate> {
  readonly name: string;
  readonly tiers: readonly { readonly relays: readonly Member[] }[];
  /** Named by DNS and not by the table. */
  readonly lookedUp?: boolean;
}

/** How an attempt ended for the relay itself. */
export type RelayResult = 'worked' | 'no-news' | Failure;

export interface RelayStatesOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly cooling: Cooling;
  readonly observer: Observer;
  /** Attempts at once to a relay, at least 1. */
  readonly limitOf: (relay: Relay) => number;
}

interface RelayState {
  readonly gate: RelayGate;
  health: RelayHealth;
  forgottenAt: number;
}

/** Of what DNS names, which has no end, so much is remembered. */
const MAX_LOOKED_UP = 10_000;

export class RelayStates {
  readonly #options: RelayStatesOptions;
  /** By relay key: those of the table, and those that DNS named. */
  readonly #states = new Map<string, RelayState>();
  readonly #lookedUp: BoundedMap<RelayState>;
  readonly #credits = new Map<string, Credits>();
  readonly #lookedUpCredits = new BoundedMap<Credits>(MAX_LOOKED_UP);

  constructor(options: RelayStatesOptions) {
    this.#options = options;
    this.#lookedUp = new BoundedMap(MAX_LOOKED_UP, ({ gate, health }) => {
      // One that is cooled, or in use, is what the memory is for.
      return gate.inside === 0 && !isCooled(health, options.clock.now(), false);
    });
  }

  /** The relay to try next, already charged for; `giveBack` undoes that if the attempt does not start. */
  choose(rotation: Rotation, tried: ReadonlySet<string>): Choice | undefined {
    const choice = nextChoice(rotation.tiers, tried, this.#standing(rotation));
    if (choice) this.#shift(rotation, choice, charged);
    return choice;
  }

  giveBack(rotation: Rotation, choice: Choice): void {
    this.#shift(rotation, choice, refunded);
  }

  enter(relay: Relay, interruption: Interruption): Admission | Promise<Admission> {
    const state = this.#stateOf(relay);
    return state.gate.enter(this.#room(relay, state), interruption);
  }

  /** @param startedAt when the attempt began, in milliseconds since the epoch */
  leave(relay: Relay, result: RelayResult, startedAt: number): void {
    const { clock, cooling } = this.#options;
    const now = clock.now();
    const state = this.#stateOf(relay);
    const before = state.health;
    const isNews = result !== 'no-news' && startedAt >= state.forgottenAt;
    const failure = isNews && result !== 'worked' ? result : undefined;
    if (failure) state.health = afterFailure(before, failure, startedAt, now, cooling);
    else if (isNews) state.health = afterSuccess(before, now);
    this.#announce(relay, before, state.health, now);
    state.gate.leave(this.#room(relay, state), failure && isSharable(failure) ? failure : undefined);
  }

  #announce({ id: relay, address }: Relay, before: RelayHealth, after: RelayHealth, at: number): void {
    const { observer } = this.#options;
    if (after === before || !observer.active) return;
    const about = { at, relay, ...(address !== undefined && { address }) };
    if (after.state === 'down' && after.why) {
      observer.emit({ type: 'relay-cooled', ...about, failure: after.why, until: after.until ?? at });
    } else if (before.state === 'down') {
      observer.emit({ type: 'relay-recovered', ...about, downSince: before.since });
    }
  }

  healthOf(relay: Relay): RelayHealth {
    return this.#stateOf(relay).health;
  }

  /** What is remembered of the relays that DNS named, by key. */
  *lookedUp(): Generator<[string, RelayHealth], void, undefined> {
    for (const [key, { health }] of this.#lookedUp.entries()) yield [key, health];
  }

  /** Forgets the health of a relay that was pointed elsewhere. What is under way there says nothing of the new place. */
  forget(relay: Relay): void {
    const now = this.#options.clock.now();
    const state = this.#stateOf(relay);
    state.health = unknownHealth(now);
    state.forgottenAt = now;
  }

  #stateOf({ key, address }: Relay): RelayState {
    const states = address === undefined ? this.#states : this.#lookedUp;
    let state = states.get(key);
    if (!state) {
      state = { gate: new RelayGate(), health: unknownHealth(this.#options.clock.now()), forgottenAt: -Infinity };
      states.set(key, state);
    }
    return state;
  }

  #room(relay: Relay, { health }: RelayState): Room {
    return { down: health.state === 'down', limit: this.#options.limitOf(relay) };
  }

  #standing(rotation: Rotation): Standing {
    const now = this.#options.clock.now();
    const find = (key: string): RelayState | undefined => this.#states.get(key) ?? this.#lookedUp.get(key);
    return {
      credits: (tier) => this.#creditsOf(rotation, tier),
      isCooled: (key) => {
        const state = find(key);
        return state?.health.state === 'down' && isCooled(state.health, now, state.gate.inside > 0);
      },
      cooledUntil: (key) => find(key)?.health.until ?? now,
    };
  }

  #creditsOf(rotation: Rotation, tier: number): Credits {
    const relays = rotation.tiers[tier]?.relays ?? [];
    if (relays.length === 1) return NO_CREDITS;
    const kept = this.#creditsFor(rotation);
    const key = creditsKey(rotation.name, tier);
    let credits = kept.get(key);
    if (!credits) {
      credits = startingCredits(relays, this.#options.random());
      kept.set(key, credits);
    }
    return credits;
  }

  #shift(rotation: Rotation, { tier, charge }: Choice, shift: (credits: Credits, charge: Charge) => Credits): void {
    if (charge.candidates.length === 1) return;
    const credits = shift(this.#creditsOf(rotation, tier), charge);
    this.#creditsFor(rotation).set(creditsKey(rotation.name, tier), credits);
  }

  #creditsFor({ lookedUp }: Rotation): Pick<BoundedMap<Credits>, 'get'> & { set(key: string, credits: Credits): void } {
    return lookedUp ? this.#lookedUpCredits : this.#credits;
  }
}

/**
 * Whether a failure holds for the deliveries that wait for it too. After the dot the message itself
 * may be the reason; and what would reject mail, whatever the app's hook made of it, is an answer
 * to one message and never to another.
 */
function isSharable(failure: Failure): boolean {
  return 'phase' in failure && failure.phase !== 'final-reply' && classify(failure).action === 'next-relay';
}

const NO_CREDITS: Credits = new Map();

function creditsKey(name: string, tier: number): string {
  return `${name} ${String(tier)}`;
}
