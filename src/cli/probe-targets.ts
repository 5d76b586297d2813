/**
 * Which hosts a probe visits: every relay that a route uses, or those of the plans of some domains.
 * Names that stand for an MX are looked up where there is a DNS, and visited as they are where not.
 */
import type { PlannedRelay, RoutePlan } from '../core/route-plan.js';
import { RouteResolver } from '../core/route-resolver.js';
import type { RouteTable } from '../core/route-table.js';
import type { DnsLookup, MxQuestion } from '../delivery/dns-lookup.js';
import { failureText } from './failure-text.js';
import type { ProbeTarget } from './probe-relay.js';
import { UsageError } from './usage-error.js';

/** What can be visited, and what cannot, with the reason. */
export interface Targets {
  readonly visit: readonly ProbeTarget[];
  readonly not: readonly { readonly relay: string; readonly why: string }[];
}

type MutableTargets = { visit: ProbeTarget[]; not: { relay: string; why: string }[] };

const SMTP_PORT = 25;

/** As deliveries speak to exchanges of recipients' domains: TLS if it can be had, whoever signed it (RFC 7435). */
const AS_STRANGERS: ProbeTarget['via'] = { opportunisticTLS: true, tls: { rejectUnauthorized: false } };

/** @throws {UsageError} for what is no domain */
export async function probeTargets(
  table: RouteTable,
  domains: readonly string[],
  dns: DnsLookup | undefined,
): Promise<Targets> {
  const targets: MutableTargets = { visit: [], not: [] };
  const resolver = new RouteResolver(table);
  const plans = domains.map((domain) => ({ domain, plan: resolver.resolve(domain) }));
  for (const { domain, plan } of plans) {
    if (plan.action === 'reject') throw new UsageError(`${JSON.stringify(domain)}: ${plan.reason}`, 'probe');
    if (plan.action === 'mx')
      await addExchanges(targets, { name: plan.domain, for: 'recipient' }, SMTP_PORT, AS_STRANGERS, dns);
  }
  const relays = domains.length > 0 ? plans.flatMap(({ plan }) => relaysOf(plan)) : usedRelays(table);
  const seen = new Set<string>();
  for (const relay of relays) {
    if (seen.has(relay.id)) continue;
    seen.add(relay.id);
    await addRelay(targets, relay, table, dns);
  }
  return targets;
}

function relaysOf(plan: RoutePlan): readonly PlannedRelay[] {
  return plan.action === 'relay' ? plan.tiers.flatMap(({ relays }) => relays) : [];
}

function usedRelays(table: RouteTable): PlannedRelay[] {
  const tiers = new Set([...table.rules()].flatMap((rule) => rule.tiers));
  return [...tiers].flatMap(({ relays }) => relays);
}

async function addRelay(
  targets: MutableTargets,
  { id, host, port, lookup }: PlannedRelay,
  table: RouteTable,
  dns: DnsLookup | undefined,
): Promise<void> {
  const { via } = table.relay(id);
  if (!('host' in via)) targets.not.push({ relay: id, why: 'is a transport of the app, not a host' });
  else if (lookup === 'mx' && dns) await addExchanges(targets, { name: host, for: 'relay' }, port, via, dns);
  else targets.visit.push({ relay: id, host, port, via });
}

async function addExchanges(
  targets: MutableTargets,
  { name, ...purpose }: { readonly name: string } & Pick<MxQuestion, 'for'>,
  port: number,
  via: ProbeTarget['via'],
  dns: DnsLookup | undefined,
): Promise<void> {
  const relay = `MX of ${name}`;
  if (!dns) {
    targets.not.push({ relay, why: 'this build has no DNS' });
    return;
  }
  const answer = await dns.exchanges(name, { signal: new AbortController().signal, ...purpose });
  if (answer.failure) targets.not.push({ relay, why: failureText(answer.failure) });
  else
    for (const exchange of answer.tiers.flat())
      for (const host of exchange.addresses)
        targets.visit.push({
          relay: `${exchange.name} (${relay})`,
          host,
          port,
          via: { servername: exchange.name, ...via },
        });
}
