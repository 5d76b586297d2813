/**
 * Sorts the recipients of an envelope by where their mail goes. Those that no relay is needed for
 * are settled at once; domains with the same tiers share a batch, so that a relay gets one copy.
 */
import { readMailbox } from '../core/address.js';
import type { Failure } from '../core/failure.js';
import type { PlannedRelay, RoutePlan, Tier } from '../core/route-plan.js';
import type { RouteTable } from '../core/route-table.js';
import { logRoute } from './debug-log.js';
import type { Delivery, Recipient } from './delivery.js';
import type { Rotation } from './relay-states.js';
import type { Resolving } from './redirection.js';

/** Recipients for relays that a rule names, or for exchanges that DNS must name first. */
export type Planned =
  | { readonly action: 'relay'; readonly rotation: Rotation<PlannedRelay>; readonly recipients: Recipient[] }
  | { readonly action: 'mx'; readonly domain: string; readonly recipients: Recipient[] };

/** A recipient with its canonical domain; undefined if it is no address. */
export interface Addressee extends Recipient {
  readonly domain: string | undefined;
}

/** The recipients in envelope order, the first spelling of each: same local part byte for byte, same A-label domain. */
export function addressees(to: readonly string[]): Addressee[] {
  const [only] = to;
  if (only !== undefined && to.length === 1) {
    const { wire, domain } = readRecipient(only);
    return [{ index: 0, address: only, wire, domain }];
  }
  const seen = new Set<string>();
  const distinct: Addressee[] = [];
  for (const address of to) {
    const { key, wire, domain } = readRecipient(address);
    if (seen.has(key)) continue;
    seen.add(key);
    distinct.push({ index: distinct.length, address, wire, domain });
  }
  return distinct;
}

function readRecipient(address: string): { key: string; wire: string; domain: string | undefined } {
  return readMailbox(address) ?? { key: address, wire: address, domain: undefined };
}

export function planBatches(
  delivery: Delivery,
  recipients: readonly Addressee[],
  resolver: Resolving,
  table: RouteTable,
): Planned[] {
  const groups = new Map<readonly Tier[] | string, Planned>();
  // Most messages go to one domain, so the last answer is the one to remember.
  let asked: { readonly domain: string | undefined; readonly way: Planned | RoutePlan } | undefined;
  for (const recipient of recipients) {
    const { domain } = recipient;
    if (!asked || asked.domain !== domain) {
      const plan = domain === undefined ? NO_ADDRESS : resolver.resolve(domain);
      logRoute(delivery.id, domain ?? '', 'match' in plan ? plan.match : '', plan.action);
      asked = { domain, way: groupOf(plan, table, groups) ?? plan };
    }
    const { way } = asked;
    if ('recipients' in way) way.recipients.push(recipient);
    else settleUnsent(delivery, recipient, way);
  }
  return [...groups.values()];
}

const NO_ADDRESS: RoutePlan = { action: 'reject', reason: 'this is no mail address' };

/** The group of a plan, which equal plans share; undefined if it needs no relay. */
function groupOf(
  plan: RoutePlan,
  table: RouteTable,
  groups: Map<readonly Tier[] | string, Planned>,
): Planned | undefined {
  if (plan.action !== 'relay' && plan.action !== 'mx') return undefined;
  const key = plan.action === 'relay' ? plan.tiers : plan.domain;
  let group = groups.get(key);
  if (!group) {
    group =
      plan.action === 'mx'
        ? { action: 'mx', domain: plan.domain, recipients: [] }
        : {
            action: 'relay',
            rotation: { name: table.rule(plan.match)?.name ?? plan.match, tiers: plan.tiers },
            recipients: [],
          };
    groups.set(key, group);
  }
  return group;
}

function settleUnsent(delivery: Delivery, recipient: Addressee, plan: RoutePlan): void {
  if (plan.action === 'discard') {
    delivery.settle(recipient, { status: 'discarded' });
    return;
  }
  const message = plan.action === 'reject' ? plan.reason : 'no route';
  const enhanced = recipient.domain === undefined ? '5.1.3' : '5.4.4';
  const failure: Failure = { kind: 'unroutable', enhanced, message };
  delivery.settle(recipient, { status: 'rejected', failure });
}
