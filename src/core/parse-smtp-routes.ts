/**
 * Reads routes as an AsyncOS appliance exports them: `domain  destination[, destination]…` on each
 * line. Tolerant in blanks, comments and line ends, strict in what a line says: a misread line
 * would send mail elsewhere.
 */
import { checkOptions, isOneOf, show } from './check-options.js';
import { Problems } from './config-error.js';
import { DestinationLists } from './destination-lists.js';
import { ALL } from './pattern.js';
import type { RouteTable } from './route-table.js';
import { DISCARD, MX, RouteTableBuilder } from './route-table-builder.js';

/** `otherwise`: for mail that no line matches, where there is none for `ALL`. Default `mx`, as on the appliance. */
export interface ParseOptions {
  readonly otherwise?: 'mx' | 'reject';
}

/**
 * The table that AsyncOS route text stands for (AsyncOS `smtproutes`, import file).
 *
 * A destination is `host[:port][/pri=N]`: port 25 and priority 0 by default, lowest priority first.
 * A bare name means its MX, then its address; `[name]` its address alone; `[2001:db8::7]:587` is an
 * IPv6 address with a port. `USEDNS` and `/dev/null` stand alone. Relay ids are destinations as
 * written, without `/pri=`; a destination spelt in several ways keeps the id written first.
 *
 * @throws {RouteConfigError} naming everything that is wrong, by `line N`.
 */
export function parseSmtpRoutes(text: string, options: ParseOptions = {}): RouteTable {
  const problems = new Problems();
  checkOptions(options, { otherwise: isOneOf('mx', 'reject') }, 'options', problems);
  if (typeof text !== 'string') problems.add('text', `must be a string, got ${show(text)}`);
  problems.throwIfAny('parseSmtpRoutes');

  const nameOf = (line: number): string => `line ${String(line)}`;
  const builder = new RouteTableBuilder(nameOf);
  const lists = new DestinationLists();
  let current = 0;
  const refuse = (message: string): void => problems.add(nameOf(current), message);
  for (const { number, domain, destinations } of routeLines(text)) {
    current = number;
    const action = destinations === '' ? undefined : lists.read(destinations, refuse);
    if (destinations === '') refuse(`${show(domain)} has no destination: add one, or USEDNS, or /dev/null`);
    // A line with a bad destination still takes its domain, so that duplicates are found in the same run.
    const pattern = builder.add(domain, action ?? DISCARD, number, refuse);
    if (pattern === ALL && action === MX) refuse('USEDNS is not allowed for ALL: remove the line, DNS is the default');
  }
  problems.throwIfAny('parseSmtpRoutes');
  return builder.build(lists.relays, options.otherwise ?? 'mx');
}

/** A line with a route, split where its destinations begin. */
export interface RouteLine {
  /** From 1. */
  readonly number: number;
  readonly domain: string;
  /** Empty if there are none. */
  readonly destinations: string;
}

/** The lines that say something; what they say is not checked. */
export function* routeLines(text: string): Generator<RouteLine, void, undefined> {
  let number = 0;
  let start = 0;
  while (start < text.length) {
    number += 1;
    const feed = text.indexOf('\n', start);
    const end = feed < 0 ? text.length : feed;
    // `trim` takes the byte order mark and the carriage return along.
    const line = withoutComment(text.slice(start, end)).trim();
    start = end + 1;
    if (line === '') continue;
    const blank = line.search(/\s/);
    const domain = blank < 0 ? line : line.slice(0, blank);
    const rest = blank < 0 ? '' : line.slice(blank + 1).trimStart();
    yield {
      number,
      domain: domain.endsWith(':') ? domain.slice(0, -1) : domain,
      // Not without a blank behind: `::1` is a destination.
      destinations: /^:\s/.test(rest) ? rest.slice(1).trimStart() : rest,
    };
  }
}

/** A `#` begins a comment at the start of a line or after a blank; elsewhere it is a mistake to be reported. */
function withoutComment(line: string): string {
  if (!line.includes('#')) return line;
  const start = line.search(/(?:^|\s)#/);
  return start < 0 ? line : line.slice(0, start);
}
