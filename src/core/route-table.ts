/**
 * The rules of a router, read-only once built. One map from canonical pattern to action holds
 * them: a look-up costs the labels of the name, and routes with equal tiers share them, because a
 * million objects would cost more than the map itself. All fields are private, since relays carry
 * credentials that neither JSON nor `util.inspect` may show.
 */
import { suggestion } from './check-options.js';
import { RouteConfigError } from './config-error.js';
import { ALL, widen } from './pattern.js';
import type { Relay } from './relay.js';
import type { Tier } from './route-plan.js';

/** What to do with mail that a rule matches. `tiers` is empty unless the action is `relay`. */
export interface RouteAction {
  readonly action: 'relay' | 'mx' | 'discard';
  readonly tiers: readonly Tier[];
}

/** One route: its action and what it matches. `name` is its first match, canonical; no two rules share it. */
export interface Rule extends RouteAction {
  readonly name: string;
  readonly matches: readonly string[];
}

/** An action with the pattern that led to it. */
export interface Found extends RouteAction {
  readonly match: string;
}

/** Checked parts, as `defineRoutes` and `parseSmtpRoutes` make them. */
export interface RouteTableParts {
  readonly relays: ReadonlyMap<string, Relay>;
  /** By canonical pattern, in the order written. */
  readonly actions: ReadonlyMap<string, RouteAction>;
  /** For each pattern of a route with several matches, all matches of that route. */
  readonly groups?: ReadonlyMap<string, readonly string[]>;
  readonly otherwise: 'mx' | 'reject';
}

/** Made by `defineRoutes` or `parseSmtpRoutes`; never changes. */
export class RouteTable {
  static {
    // What console.log shows. Not a method, because its name cannot stand in an isolated declaration.
    Object.defineProperty(this.prototype, Symbol.for('nodejs.util.inspect.custom'), {
      value(this: RouteTable): string {
        return `RouteTable { ${count(this.size, 'route')}, ${count(this.#relays.size, 'relay')}, otherwise: '${this.otherwise}' }`;
      },
    });
  }

  /** What happens to mail that no rule matches. */
  readonly otherwise: 'mx' | 'reject';
  readonly #relays: ReadonlyMap<string, Relay>;
  readonly #actions: ReadonlyMap<string, RouteAction>;
  readonly #groups: ReadonlyMap<string, readonly string[]>;

  constructor({ relays, actions, groups, otherwise }: RouteTableParts) {
    this.#relays = relays;
    this.#actions = actions;
    this.#groups = groups ?? new Map();
    this.otherwise = otherwise;
  }

  /** How many matches the table holds. */
  get size(): number {
    return this.#actions.size;
  }

  /** @throws {RouteConfigError} if no relay has that id. */
  relay(id: string): Relay {
    const relay = this.#relays.get(id);
    if (relay) return relay;
    const message = `no relay is called ${JSON.stringify(id)}${suggestion(id, [...this.#relays.keys()])}`;
    throw new RouteConfigError('RouteTable', [{ path: 'relay', message }]);
  }

  /** All relays, whether a route uses them or not. */
  relays(): Iterable<Relay> {
    return this.#relays.values();
  }

  /** The rule with this canonical pattern among its matches: a plan's `match` leads back to its rule. */
  rule(match: string): Rule | undefined {
    const action = this.#actions.get(match);
    return action && this.#ruleOf(match, action);
  }

  /** All rules, in the order written. */
  *rules(): Generator<Rule, void, undefined> {
    for (const [match, action] of this.#actions) {
      const rule = this.#ruleOf(match, action);
      if (rule.name === match) yield rule;
    }
  }

  /** The most specific rule for a canonical domain. */
  find(domain: string): Found | undefined {
    for (let match: string | undefined = domain; match !== undefined; match = widen(match)) {
      const found = this.#actions.get(match);
      if (found) return { match, action: found.action, tiers: found.tiers };
    }
    return undefined;
  }

  /** Why mail may need MX look-ups of recipients' domains, as a clause; undefined if it never does. */
  needsDns(): string | undefined {
    if (this.otherwise === 'mx' && !this.#actions.has(ALL)) {
      return 'no route matches ALL, so other domains are delivered to their MX';
    }
    for (const [match, { action }] of this.#actions) if (action === 'mx') return `the route for ${match} uses MX`;
    return undefined;
  }

  #ruleOf(match: string, { action, tiers }: RouteAction): Rule {
    const matches = this.#groups.get(match) ?? [match];
    return { name: matches[0] ?? match, matches, action, tiers };
  }
}

function count(number: number, what: string): string {
  return `${String(number)} ${what}${number === 1 ? '' : 's'}`;
}
