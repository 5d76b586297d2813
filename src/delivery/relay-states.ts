/**
 * What this process knows of its relays: rotation credits, health, and who is trying what. The
 * decisions are pure functions of `core`; this holds the values they work on.
 */
import { nextChoice, type Choice, type Standing } from '../core/attempt-order.js';
import { classify } from '../core/classify.js';
import type { Failure } from '../core/failure.js';
import { afterFailure, afterSuccess, isCooled, unknownHealth, type Cooling, type RelayHealth } from '../core/health.js';
import { charged, refunded, startingCredits, type Charge, type Credits } from '../core/rotation.js';
import type { Relay } from '../core/relay.js';
import type { Tier } from '../core/route-plan.js';
import type { Interruption } from './interruption.js';
import type { Observer } from './observer.js';
import { RelayGate, type Admission, type Room } from './relay-gate.js';
import type { Clock } from './system-clock.js';

/** A plan's tiers, and the name that its rotation is kept under. */
export interface Rotation {
  readonly name: string;
  readonly tiers: readonly Tier[];
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

export class RelayStates {
  readonly #options: RelayStatesOptions;
  readonly #credits = new Map<string, Credits>();
  readonly #health = new Map<string, RelayHealth>();
  readonly #gates = new Map<string, RelayGate>();
  readonly #forgottenAt = new Map<string, number>();

  constructor(options: RelayStatesOptions) {
    this.#options = options;
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
    return this.#gate(relay.id).enter(this.#room(relay), interruption);
  }

  /** @param startedAt when the attempt began, in milliseconds since the epoch */
  leave(relay: Relay, result: RelayResult, startedAt: number): void {
    const { clock, cooling } = this.#options;
    const { id } = relay;
    const now = clock.now();
    const before = this.healthOf(id);
    const isNews = result !== 'no-news' && startedAt >= (this.#forgottenAt.get(id) ?? startedAt);
    const failure = isNews && result !== 'worked' ? result : undefined;
    if (failure) this.#health.set(id, afterFailure(before, failure, startedAt, now, cooling));
    else if (isNews) this.#health.set(id, afterSuccess(before, now));
    this.#announce(id, before, this.healthOf(id), now);
    this.#gate(id).leave(this.#room(relay), failure && isSharable(failure) ? failure : undefined);
  }

  #announce(relay: string, before: RelayHealth, after: RelayHealth, at: number): void {
    const { observer } = this.#options;
    if (after === before || !observer.active) return;
    if (after.state === 'down' && after.why) {
      observer.emit({ type: 'relay-cooled', at, relay, failure: after.why, until: after.until ?? at });
    } else if (before.state === 'down') {
      observer.emit({ type: 'relay-recovered', at, relay, downSince: before.since });
    }
  }

  healthOf(relay: string): RelayHealth {
    let health = this.#health.get(relay);
    if (!health) {
      health = unknownHealth(this.#options.clock.now());
      this.#health.set(relay, health);
    }
    return health;
  }

  /** Forgets the health of a relay that was pointed elsewhere. What is under way there says nothing of the new place. */
  forget(relay: string): void {
    this.#health.delete(relay);
    this.#forgottenAt.set(relay, this.#options.clock.now());
  }

  #room(relay: Relay): Room {
    return { down: this.#health.get(relay.id)?.state === 'down', limit: this.#options.limitOf(relay) };
  }

  #standing({ name, tiers }: Rotation): Standing {
    const now = this.#options.clock.now();
    return {
      credits: (tier) => this.#creditsOf(name, tier, tiers),
      isCooled: (relay) => {
        const health = this.#health.get(relay);
        return health?.state === 'down' && isCooled(health, now, this.#gate(relay).inside > 0);
      },
      cooledUntil: (relay) => this.#health.get(relay)?.until ?? now,
    };
  }

  #creditsOf(name: string, tier: number, tiers: readonly Tier[]): Credits {
    const relays = tiers[tier]?.relays ?? [];
    if (relays.length === 1) return NO_CREDITS;
    const key = creditsKey(name, tier);
    let credits = this.#credits.get(key);
    if (!credits) {
      credits = startingCredits(relays, this.#options.random());
      this.#credits.set(key, credits);
    }
    return credits;
  }

  #shift(
    { name, tiers }: Rotation,
    { tier, charge }: Choice,
    shift: (credits: Credits, charge: Charge) => Credits,
  ): void {
    if (charge.candidates.length === 1) return;
    this.#credits.set(creditsKey(name, tier), shift(this.#creditsOf(name, tier, tiers), charge));
  }

  #gate(relay: string): RelayGate {
    let gate = this.#gates.get(relay);
    if (!gate) {
      gate = new RelayGate();
      this.#gates.set(relay, gate);
    }
    return gate;
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
