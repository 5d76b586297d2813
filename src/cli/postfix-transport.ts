/**
 * A transport table of Postfix, read as trivial-rewrite(8) reads it (transport(5)), as far as routes
 * can say the same. What they cannot is a finding: a rule that is left out silently would send mail
 * elsewhere.
 */
import { parseDestination, type Destination } from '../core/destination.js';
import { ALL, canonicalPattern, patternProblem } from '../core/pattern.js';
import type { Finding } from './routes-file.js';

/** Where the mail goes: tiers of one relay each, since Postfix tries a list in its order; or a word. */
export type PostfixAction = readonly Destination[] | 'mx' | 'discard';

export interface PostfixRoute {
  readonly line: number;
  readonly match: string;
  readonly action: PostfixAction;
}

export interface PostfixTransport {
  readonly routes: readonly PostfixRoute[];
  /** What routes cannot say, in the order of the file. */
  readonly unsaid: readonly Finding[];
}

/** @param parentMatches whether `transport_maps` stands in `parent_domain_matches_subdomains`: `domain` then matches below itself too, and `.domain` never */
export function readPostfixTransport(text: string, parentMatches: boolean): PostfixTransport {
  const routes: PostfixRoute[] = [];
  const unsaid: Finding[] = [];
  const taken = new Map<string, number>();
  for (const { line, key, result } of logicalLines(text)) {
    const refuse = (message: string): void => void unsaid.push({ line, message: `${key}: ${message}` });
    const known = taken.get(key);
    if (known !== undefined) {
      refuse(`stands on line ${String(known)} already, and Postfix takes the first`);
      continue;
    }
    taken.set(key, line);
    const matches = matchesOf(key, parentMatches, refuse);
    const action = matches && actionOf(result, refuse);
    if (action) for (const match of matches) routes.push({ line, match, action });
  }
  return { routes: withoutImplied(routes), unsaid };
}

/** With parent matching, `domain` and `sub.domain` both yield suffixes; a suffix written for itself is never among them. */
function withoutImplied(routes: readonly PostfixRoute[]): PostfixRoute[] {
  const seen = new Set<string>();
  return routes.filter(({ match }) => !seen.has(match) && seen.add(match));
}

interface LogicalLine {
  readonly line: number;
  /** Folded to lower case, as Postfix looks it up. */
  readonly key: string;
  readonly result: string;
}

/** A line that begins with white space goes on with the line before; comments and empty lines do not count (postmap(1)). */
function logicalLines(text: string): LogicalLine[] {
  const lines: { line: number; text: string }[] = [];
  for (const [i, raw] of text.split('\n').entries()) {
    if (/^\s*(?:#|$)/.test(raw)) continue;
    const last = lines.at(-1);
    if (/^\s/.test(raw) && last) last.text += raw.trimEnd();
    else lines.push({ line: i + 1, text: raw.trimEnd() });
  }
  return lines.map(({ line, text: whole }) => {
    const [, key = '', result = ''] = /^\s*(\S+)\s*([\s\S]*)$/.exec(whole) ?? [];
    return { line, key: key.toLowerCase(), result };
  });
}

function matchesOf(key: string, parentMatches: boolean, refuse: (message: string) => void): string[] | undefined {
  const wrong = keyProblem(key, parentMatches);
  if (wrong !== undefined) {
    refuse(wrong);
    return undefined;
  }
  if (key === '*') return [ALL];
  const match = canonicalPattern(key);
  if (match === undefined) {
    refuse(patternProblem(key));
    return undefined;
  }
  return parentMatches && !match.startsWith('[') ? [match, `.${match}`] : [match];
}

function keyProblem(key: string, parentMatches: boolean): string | undefined {
  if (/^[/!^]|^(?:if|endif)$/.test(key)) return 'is of a regular expression table: routes match domains';
  if (key.includes('@')) return 'is for a single address: routes match domains';
  if (key.includes('*') && key !== '*') return 'never matches in Postfix, where "*" stands alone: write .domain';
  if (key === 'all') return 'is a domain in Postfix, and means everything in a route';
  if (key.endsWith('.')) return 'never matches in Postfix, which asks without the dot at the end';
  if (key.startsWith('.') && parentMatches) return 'never matches where parent domains match their subdomains';
  return undefined;
}

function actionOf(result: string, refuse: (message: string) => void): PostfixAction | undefined {
  const colon = result.indexOf(':');
  if (colon < 0) {
    refuse(
      result === ''
        ? 'has no result'
        : 'has no ":" in its result, so Postfix takes all of it for a transport of master.cf',
    );
    return undefined;
  }
  const transport = result.slice(0, colon);
  const nexthop = result.slice(colon + 1).trim();
  if (transport === 'discard') return 'discard';
  if (transport === 'error' || transport === 'retry') {
    refuse(`${transport}: refuses the mail with a text of its own, which no route does`);
    return undefined;
  }
  if (transport === 'lmtp') {
    refuse('lmtp: is another protocol, which relays do not speak yet');
    return undefined;
  }
  // An empty transport means the default one, which is smtp unless main.cf says otherwise.
  if (!['', 'smtp', 'relay'].includes(transport)) {
    refuse(`transport ${transport}: is defined in master.cf, and nothing says that it is SMTP`);
    return undefined;
  }
  if (nexthop === '') return 'mx';
  return destinationsOf(nexthop, refuse);
}

/** Service names that stand where a port belongs (services(5)). */
const PORTS: Readonly<Record<string, string>> = { smtp: '25', mail: '25', submission: '587' };

/** Postfix 3.5 takes a list, separated by commas and white space, and tries it in order. */
function destinationsOf(nexthop: string, refuse: (message: string) => void): readonly Destination[] | undefined {
  const list = nexthop.split(/[\s,]+/).filter((one) => one !== '');
  const read = list.map((one) => {
    const [, host = one, service] = /^(.*?):([a-z][a-z\d-]*)$/i.exec(one) ?? [];
    const port = service === undefined ? undefined : PORTS[service.toLowerCase()];
    if (service !== undefined && port === undefined && !/^\[?[\da-f:]+$/i.test(one)) {
      refuse(`service ${service} is no port that is known here: write its number`);
      return undefined;
    }
    return parseDestination(port === undefined ? one : `${host}:${port}`, refuse);
  });
  const sound = read.filter((one) => one !== undefined);
  return sound.length === list.length ? sound : undefined;
}
