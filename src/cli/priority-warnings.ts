/**
 * Priorities of AsyncOS text that look like a slip: lines are written in the order people think in, so
 * a destination that comes first and is not written first deserves a look.
 */
import { routeLines } from '../core/parse-smtp-routes.js';
import type { Finding } from './routes-file.js';

export function priorityWarnings(text: string): Finding[] {
  const findings: Finding[] = [];
  /** Most lines of a long table repeat one of a few. */
  const known = new Map<string, string | undefined>();
  for (const { number, destinations } of routeLines(text)) {
    // Without a priority above 0 there is no order that could be wrong.
    if (!destinations.includes('/')) continue;
    if (!known.has(destinations)) known.set(destinations, slip(destinations));
    const message = known.get(destinations);
    if (message !== undefined) findings.push({ line: number, message });
  }
  return findings;
}

interface Written {
  readonly host: string;
  readonly priority: number;
  readonly silent: boolean;
}

function slip(destinations: string): string | undefined {
  const list = destinations.split(',').map((item): Written => {
    const [, host = item.trim(), digits] = /^\s*(.*?)\/pri=(\d+)\s*$/i.exec(item) ?? [];
    return { host, priority: Number(digits ?? 0), silent: digits === undefined };
  });
  const [first] = list;
  if (!first || list.length < 2)
    return first && first.priority > 0
      ? `/pri=${String(first.priority)} has no effect on the only destination`
      : undefined;
  const silent = list.find((one, i) => one.silent && i > 0 && list.some(({ priority }) => priority > 0));
  if (silent && list.some((one, i) => one.priority > 0 && i < list.indexOf(silent)))
    return `${silent.host} has no /pri= and so comes first: is that meant?`;
  const early = list.find((one, i) => i > 0 && one.priority < (list[i - 1]?.priority ?? 0));
  if (early)
    return `${early.host} comes before what is written before it (/pri=${String(early.priority)}): is 0 the first?`;
  if (list.every(({ priority }) => priority === first.priority) && first.priority > 0)
    return `/pri=${String(first.priority)} on every destination has no effect: was one of them to come first?`;
  return undefined;
}
