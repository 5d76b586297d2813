/**
 * A failure in a few words, and a span of time: what fits into a line of output.
 */
import type { Failure } from '../core/failure.js';
import { onOneLine, replyText } from '../core/reply.js';

export function failureText(failure: Failure): string {
  if (failure.kind === 'reply') {
    const { reply, phase } = failure;
    return `${replyText({ ...reply, text: onOneLine(reply.text) })} (${phase})`;
  }
  if (failure.kind === 'lost') return `${failure.code} (${failure.phase})`;
  return onOneLine(failure.message);
}

const UNITS: readonly (readonly [number, string])[] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1000, 's'],
];

/** `1 min`, `2 h 5 min`, `3 d`: two units at most. */
export function span(ms: number): string {
  const parts: string[] = [];
  let rest = Math.round(ms / 1000) * 1000;
  for (const [size, unit] of UNITS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${String(count)} ${unit}`);
  }
  return parts.slice(0, 2).join(' ') || '0 s';
}
