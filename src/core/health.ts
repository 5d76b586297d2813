/**
 * What is known of a relay, as a value. A failure of the relay itself cools it for a while that
 * doubles with each failure in a row of tries and shrinks with each success. Cooling only moves a
 * relay behind the others; what is done with that is `attempt-order.ts`.
 */
import type { Failure } from './failure.js';

/** How long a relay is cooled, in milliseconds: `initialMs` first, doubling, never above `maxMs`. */
export interface Cooling {
  readonly initialMs: number;
  readonly maxMs: number;
}

export const DEFAULT_COOLING: Cooling = Object.freeze({ initialMs: 15_000, maxMs: 300_000 });

/** `since`, `until` in milliseconds since the epoch. A relay that is `down` with `until` in the past is due for a probe. */
export interface RelayHealth {
  readonly state: 'up' | 'down' | 'unknown';
  readonly since: number;
  readonly why?: Failure;
  readonly until?: number;
  /** Doublings so far; not shown to users. */
  readonly penalty: number;
  /** When the last cooling began, in milliseconds since the epoch; not shown to users. */
  readonly cooledAt?: number;
}

export function unknownHealth(now: number): RelayHealth {
  return { state: 'unknown', since: now, penalty: 0 };
}

/** Whether the relay goes behind the others now: it is down, and either its time is not over or someone is probing it already. */
export function isCooled(health: RelayHealth, now: number, beingTried: boolean): boolean {
  return health.state === 'down' && (beingTried || now < (health.until ?? 0));
}

/**
 * After a failure of the relay itself. Attempts that were under way when the cooling began saw the
 * same outage, however late they end: their failures change nothing, and neither do those of
 * attempts within the cooling.
 *
 * @param startedAt when the attempt began, in milliseconds since the epoch
 */
export function afterFailure(
  health: RelayHealth,
  failure: Failure,
  startedAt: number,
  now: number,
  cooling: Cooling,
): RelayHealth {
  const down = health.state === 'down';
  if (down && (now < (health.until ?? 0) || startedAt <= (health.cooledAt ?? -Infinity))) return health;
  const penalty = health.penalty + 1;
  const coolMs = Math.min(cooling.maxMs, cooling.initialMs * 2 ** (penalty - 1));
  return { state: 'down', since: down ? health.since : now, why: failure, until: now + coolMs, penalty, cooledAt: now };
}

/** After a message was accepted. The penalty decays by one step, so a flapping relay stays cooled for longer each time. */
export function afterSuccess(health: RelayHealth, now: number): RelayHealth {
  if (health.state === 'up' && health.penalty === 0) return health;
  return {
    state: 'up',
    since: health.state === 'up' ? health.since : now,
    penalty: Math.max(0, health.penalty - 1),
  };
}
