/**
 * Writes a table as AsyncOS route text. What the text cannot say is refused rather than left out:
 * a table that comes back without its credentials or its weights is a different table.
 */
import { show } from './check-options.js';
import { Problems } from './config-error.js';
import { relayPath } from './define-relays.js';
import { formatDestination, parseDestination, type Destination } from './destination.js';
import { canonicalHost } from './host.js';
import { ALL } from './pattern.js';
import type { Relay } from './relay.js';
import type { RouteTable, Rule } from './route-table.js';

/** What a destination says; everything else about a relay is lost in text. */
const SAYABLE: ReadonlySet<string> = new Set<keyof Destination>(['host', 'port', 'lookup']);

/** Wide enough to align most domains, and fixed, so that one long domain does not change every line. */
const COLUMN = 24;

/**
 * AsyncOS route text, a line for each match, ending in a line feed. `parseSmtpRoutes` reads it back
 * as the same table; of a table from `defineRoutes` the relay ids change, since text has none but
 * the destinations themselves. Relays that no route uses are left out.
 *
 * @throws {RouteConfigError} naming everything that the text cannot say: wrapped transports, options
 * beside `host`, `port` and `lookup`, weights, `ALL` with `mx`, and `otherwise: 'reject'` in a table
 * without `ALL`, since the appliance would deliver that mail by MX.
 */
export function formatSmtpRoutes(table: RouteTable): string {
  const problems = new Problems();
  if (table.otherwise === 'reject' && !table.rule(ALL)) {
    problems.add('otherwise', 'text cannot say "reject": without a route for ALL it means delivery by MX');
  }
  const written = writeUsedRelays(table, problems);
  const lines: string[] = [];
  for (const rule of table.rules()) {
    const right = rightHandSide(rule, written, problems);
    for (const match of rule.matches) lines.push(`${match.padEnd(COLUMN)} ${right}\n`);
  }
  problems.throwIfAny('formatSmtpRoutes');
  return lines.join('');
}

/** A relay as text: what to write, and the place it means, however that is spelt. */
interface WrittenRelay {
  readonly text: string;
  readonly place: string;
}

function writeUsedRelays(table: RouteTable, problems: Problems): Map<string, WrittenRelay> {
  const written = new Map<string, WrittenRelay>();
  for (const { tiers } of table.rules()) {
    for (const { relays } of tiers) {
      for (const { id } of relays) if (!written.has(id)) written.set(id, writeRelay(table.relay(id), problems));
    }
  }
  return written;
}

function writeRelay(relay: Relay, problems: Problems): WrittenRelay {
  const path = relayPath(relay.id);
  if ('transport' in relay.via) {
    problems.add(path, 'text has no word for a wrapped transport');
    return { text: '', place: path };
  }
  for (const [option, value] of Object.entries(relay.via)) {
    if (value !== undefined && !SAYABLE.has(option))
      problems.add(`${path}.${option}`, 'text has no word for this option');
  }
  const { port, lookup } = relay;
  const place = formatDestination({ host: canonicalHost(relay.host) ?? relay.host, port, lookup });
  // An id that says the same is the spelling of the text that this table came from.
  const own = parseDestination(relay.id, () => undefined);
  return { text: own && formatDestination(own) === place ? relay.id : place, place };
}

function rightHandSide(rule: Rule, written: ReadonlyMap<string, WrittenRelay>, problems: Problems): string {
  if (rule.action === 'discard') return '/dev/null';
  if (rule.action === 'mx') {
    if (rule.matches.includes(ALL)) problems.add(ALL, 'text does not allow USEDNS for ALL');
    return 'USEDNS';
  }
  const idAt = new Map<string, string>();
  const items = rule.tiers.flatMap(({ priority, relays }) =>
    relays.map(({ id, weight }) => {
      const { text, place } = written.get(id) ?? { text: '', place: id };
      const twin = idAt.get(place);
      if (twin !== undefined)
        problems.add(rule.name, `in text, relays ${show(twin)} and ${show(id)} are one destination`);
      if (weight !== 1) problems.add(rule.name, `text has no word for the weight of relay ${show(id)}`);
      idAt.set(place, id);
      return rule.tiers.length === 1 && priority === 0 ? text : `${text}/pri=${String(priority)}`;
    }),
  );
  return items.join(', ');
}
