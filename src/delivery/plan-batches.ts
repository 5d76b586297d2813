/**
 * Sorts the recipients of an envelope by where their mail goes. Those that no relay is needed for
 * are settled at once; domains with the same tiers share a batch, so that a relay gets one copy.
 */
import { parseAddress, wireAddress } from '../core/address.js';
import type { Failure } from '../core/failure.js';
import type { RoutePlan, Tier } from '../core/route-plan.js';
import type { RouteResolver } from '../core/route-resolver.js';
import type { RouteTable } from '../core/route-table.js';
import { logRoute } from './debug-log.js';
import type { Delivery, Recipient } from './delivery.js';
import type { Rotation } from './relay-states.js';

/** Recipients for relays that a rule names, or for exchanges that DNS must name first. */
export type Planned =
  | { readonly action: 'relay'; readonly rotation: Rotation; readonly recipients: Recipient[] }
  | { readonly action: 'mx'; readonly domain: string; readonly recipients: Recipient[] };

/** A recipient with its canonical domain; undefined if it is no address. */
export interface Addressee extends Recipient {
  readonly domain: string | undefined;
}

/** The recipients in envelope order, the first spelling of each: same local part byte for byte, same A-label domain. */
export function addressees(to: readonly string[]): Addressee[] {
  const byKey = new Map<string, Addressee>();
  for (const address of to) {
    const parsed = parseAddress(address);
    const key = parsed ? `${parsed.local}@${parsed.domain}` : address;
    if (byKey.has(key)) continue;
    byKey.set(key, { index: byKey.size, address, wire: wireAddress(address), domain: parsed?.domain });
  }
  return [...byKey.values()];
}

export function planBatches(
  delivery: Delivery,
  recipients: readonly Addressee[],
  resolver: RouteResolver,
  table: RouteTable,
): Planned[] {
  const groups = new Map<readonly Tier[] | string, Planned>();
  for (const recipient of recipients) {
    const plan = recipient.domain === undefined ? NO_ADDRESS : resolver.resolve(recipient.domain);
    logRoute(delivery.id, recipient.domain ?? '', 'match' in plan ? plan.match : '', plan.action);
    const key = groupKey(plan);
    if (key === undefined) {
      settleUnsent(delivery, recipient, plan);
      continue;
    }
    const group = groups.get(key) ?? newGroup(plan, table);
    if (!group) continue;
    group.recipients.push(recipient);
    groups.set(key, group);
  }
  return [...groups.values()];
}

const NO_ADDRESS: RoutePlan = { action: 'reject', reason: 'this is no mail address' };

function groupKey(plan: RoutePlan): readonly Tier[] | string | undefined {
  if (plan.action === 'relay') return plan.tiers;
  return plan.action === 'mx' ? plan.domain : undefined;
}

function newGroup(plan: RoutePlan, table: RouteTable): Planned | undefined {
  if (plan.action === 'mx') return { action: 'mx', domain: plan.domain, recipients: [] };
  if (plan.action !== 'relay') return undefined;
  const name = table.rule(plan.match)?.name ?? plan.match;
  return { action: 'relay', rotation: { name, tiers: plan.tiers }, recipients: [] };
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
