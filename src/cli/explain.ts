/**
 * `smtp-routes explain`: where the mail of an address goes, and why not elsewhere.
 */
import type { RouteExplanation } from '../core/explain-route.js';
import type { RoutePlan } from '../core/route-plan.js';
import { RouteResolver } from '../core/route-resolver.js';
import type { DnsLookup, MxAnswer, MxExchange } from '../delivery/dns-lookup.js';
import { OK, PROBLEMS, type CommandContext } from './command-context.js';
import { failureText } from './failure-text.js';
import type { Paint } from './paint.js';
import { COMMON_OPTIONS, readArguments } from './read-arguments.js';
import { readRoutesFile } from './routes-file.js';
import { columns } from './table-text.js';
import { UsageError } from './usage-error.js';

interface Asked {
  readonly name: string;
  readonly answer: MxAnswer;
}

export async function explain(args: readonly string[], context: CommandContext): Promise<number> {
  const { values, operands } = readArguments('explain', args, { ...COMMON_OPTIONS, dns: { type: 'boolean' } });
  const [path, ...addresses] = operands;
  if (path === undefined || addresses.length === 0)
    throw new UsageError('give a file and at least one address or domain', 'explain');
  const dns = values.dns ? await loadDns(context) : undefined;
  const { table } = await readRoutesFile(path, context);
  const resolver = new RouteResolver(table);
  const explanations = await Promise.all(
    addresses.map(async (address) => {
      const explanation = resolver.explain(address);
      return { ...explanation, ...(dns && { dns: await ask(dns, explanation.plan) }) };
    }),
  );
  const { out } = context;
  out.write(
    values.json
      ? `${JSON.stringify(explanations, undefined, 2)}\n`
      : explanations.map((one) => described(one, out.paint)).join('\n'),
  );
  return explanations.some(({ domain }) => domain === undefined) ? PROBLEMS : OK;
}

/** @throws {UsageError} in a build without DNS */
export async function loadDns({ dns }: CommandContext): Promise<DnsLookup> {
  if (!dns) throw new UsageError('--dns: this build has no DNS', 'explain');
  return await dns();
}

/** Everything that a delivery by this plan asks the look-up for. */
async function ask(dns: DnsLookup, plan: RoutePlan): Promise<Asked[]> {
  const hosts =
    plan.action === 'relay'
      ? plan.tiers.flatMap(({ relays }) => relays.flatMap(({ host, lookup }) => (lookup === 'mx' ? host : [])))
      : [];
  const [names, purpose] = plan.action === 'mx' ? ([[plan.domain], 'recipient'] as const) : ([hosts, 'relay'] as const);
  const { signal } = new AbortController();
  return await Promise.all(
    [...new Set(names)].map(async (name) => ({ name, answer: await dns.exchanges(name, { signal, for: purpose }) })),
  );
}

function described(explanation: RouteExplanation & { readonly dns?: readonly Asked[] }, paint: Paint): string {
  const { input, considered, plan, why, lookups, dns } = explanation;
  const rows = considered.map(({ match, rule, won }) => [won ? '→' : ' ', match, rule ?? 'no rule']);
  const lines = [
    paint('bold', printable(input)),
    `  ${plan.action === 'reject' ? paint('red', why) : why}`,
    ...(rows.length > 0
      ? ['', '  Rules considered, the most specific first:', ...columns(['', '', ''], rows, '  ').slice(1)]
      : []),
    ...(plan.action === 'relay' ? ['', '  Relays, in order:', ...relayLines(plan)] : []),
    ...(lookups.length > 0 && !dns ? ['', '  DNS that would be asked:', ...lookups.map((one) => `    ${one}`)] : []),
    ...(dns && dns.length > 0
      ? ['', '  DNS answers:', ...dns.map(({ name, answer }) => `    MX of ${name}: ${answerText(answer)}`)]
      : []),
  ];
  return `${lines.join('\n')}\n`;
}

/** An address from a command line may hold anything; the terminal should not obey it. */
function printable(text: string): string {
  // eslint-disable-next-line no-control-regex
  return /[\u0000-\u001f\u007f-\u009f]/.test(text) || text === '' ? JSON.stringify(text) : text;
}

function relayLines({ tiers }: RoutePlan & { action: 'relay' }): string[] {
  const rows = tiers.flatMap(({ priority, relays }) =>
    relays.map(({ id, host, port, weight, lookup }, i) => {
      const place =
        host === '' ? 'a transport of the app' : `${host.includes(':') ? `[${host}]` : host}:${String(port)}`;
      const notes = [...(weight === 1 ? [] : [`weight ${String(weight)}`]), ...(lookup === 'mx' ? ['by MX'] : [])];
      return [i === 0 ? String(priority) : '', id, place, notes.join(', ')];
    }),
  );
  return columns(['priority', 'relay', 'at', ''], rows, '    ');
}

function answerText(answer: MxAnswer): string {
  if (answer.failure) return failureText(answer.failure);
  const tierText = (tier: readonly MxExchange[]): string =>
    tier.map(({ name, addresses }) => `${name} (${addresses.join(', ')})`).join(' | ');
  return answer.tiers.map(tierText).join(' > ');
}
