/**
 * What a rule matches, and in which order rules are asked. A pattern has one canonical spelling,
 * so that a table is a plain map and the most specific rule wins whatever the order of the list.
 */
import { canonicalDomain } from './domain.js';
import { domainProblem } from './domain-problem.js';

/** Matches whatever nothing else matched. In capitals, which no canonical domain has. */
export const ALL = 'ALL';

/**
 * The canonical form of a match: a canonical domain or address literal (`example.com`,
 * `[192.0.2.1]`), `.example.com` for any depth below it (also `*.example.com`), or `ALL` (also
 * `*`, in any case). Undefined for anything else.
 */
export function canonicalPattern(text: string): string | undefined {
  if (/^(?:all|\*)$/i.test(text)) return ALL;
  const below = suffixOf(text);
  if (below === undefined) return canonicalDomain(text);
  const domain = canonicalDomain(below);
  return domain === undefined || domain.startsWith('[') ? undefined : `.${domain}`;
}

/** Why `canonicalPattern` refuses a text, to follow a subject: `has an empty label`. */
export function patternProblem(text: string): string {
  const domain = suffixOf(text) ?? text;
  if (text !== domain && domain.startsWith('[')) return 'is no pattern: nothing lies below an address literal';
  if (domain.includes('*')) return 'holds a "*", which stands alone or as "*." before a domain';
  return domainProblem(domain);
}

function suffixOf(text: string): string | undefined {
  if (text.startsWith('.')) return text.slice(1);
  return text.startsWith('*.') ? text.slice(2) : undefined;
}

/**
 * The next less specific pattern to ask after a canonical domain or pattern: `a.example.com`,
 * `.example.com`, `.com`, `ALL`, then undefined. As many steps as the name has labels.
 */
export function widen(pattern: string): string | undefined {
  // From the second character on: a pattern's own leading dot is what it widens from.
  const dot = pattern.startsWith('[') ? -1 : pattern.indexOf('.', 1);
  if (dot > 0) return pattern.slice(dot);
  return pattern === ALL ? undefined : ALL;
}
