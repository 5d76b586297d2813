/**
 * Answers where the mail of a domain goes. Pure and synchronous, and on the path of every
 * recipient: a check of the text, then a look-up for each label. Rules are never applied to what a
 * rule answers, so `a -> b` and `b -> a` make no loop.
 */
import { routingDomain } from './address.js';
import { addressProblem } from './address-problem.js';
import { RouteConfigError } from './config-error.js';
import { explainRoute, type RouteExplanation } from './explain-route.js';
import { OTHERWISE, type RoutePlan } from './route-plan.js';
import type { RouteTable } from './route-table.js';

export class RouteResolver {
  readonly #table: RouteTable;

  /** @throws {RouteConfigError} if `table` is no route table. */
  constructor(table: RouteTable) {
    if (typeof (table as Partial<RouteTable> | undefined)?.find !== 'function') {
      const message = 'must be a table from defineRoutes or parseSmtpRoutes';
      throw new RouteConfigError('RouteResolver', [{ path: 'table', message }]);
    }
    this.#table = table;
  }

  /**
   * The plan for a domain or an address: frozen, JSON-safe, without credentials. Never throws and
   * never trims; what is neither a domain nor an address gets `reject`.
   */
  resolve(domainOrAddress: string): RoutePlan {
    const domain = typeof domainOrAddress === 'string' ? routingDomain(domainOrAddress) : undefined;
    if (domain === undefined) return Object.freeze({ action: 'reject', reason: addressProblem(domainOrAddress) });
    const found = this.#table.find(domain);
    if (!found) return this.#withoutRule(domain);
    const { match, action, tiers } = found;
    switch (action) {
      case 'relay':
        return Object.freeze({ action, match, tiers });
      case 'mx':
        return Object.freeze({ action, match, domain });
      case 'discard':
        return Object.freeze({ action, match });
      default:
        return action satisfies never;
    }
  }

  /** The plan, and how it came about: every pattern that was asked for, which won, and why. */
  explain(domainOrAddress: string): RouteExplanation {
    return explainRoute(this.#table, domainOrAddress, this.resolve(domainOrAddress));
  }

  #withoutRule(domain: string): RoutePlan {
    return this.#table.otherwise === 'mx'
      ? Object.freeze({ action: 'mx', match: OTHERWISE, domain })
      : Object.freeze({ action: 'reject', reason: 'no route matches this domain' });
  }
}
