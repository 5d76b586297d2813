/**
 * Checks an options object by a table of its keys. An unknown key is a problem too: silence would
 * let a mistyped limit look as if it were in force.
 */
import type { Problems } from './config-error.js';

/** Says what is wrong with a value, or nothing. */
export type Check = (value: unknown) => string | undefined;

/** Adds a problem for everything in `options` that `checks` does not allow. `undefined` values count as absent. */
export function checkOptions(
  options: unknown,
  checks: Readonly<Record<string, Check>>,
  path: string,
  problems: Problems,
): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    problems.add(path || 'options', `must be an object, got ${show(options)}`);
    return;
  }
  for (const [key, value] of Object.entries(options)) {
    const at = path === '' ? key : `${path}.${key}`;
    const check = Object.hasOwn(checks, key) ? checks[key] : undefined;
    if (!check) problems.add(at, `unknown option${suggestion(key, Object.keys(checks))}`);
    else if (value !== undefined) {
      const wrong = check(value);
      if (wrong !== undefined) problems.add(at, wrong);
    }
  }
}

/** The options over the defaults. `undefined` counts as absent here too. */
export function withDefaults<T extends object>(defaults: T, options: Partial<T> | undefined): T {
  const given = Object.entries(options ?? {}).filter(([, value]) => value !== undefined);
  return { ...defaults, ...(Object.fromEntries(given) as Partial<T>) };
}

export const isString: Check = (value) =>
  typeof value === 'string' && value !== '' ? undefined : `must be a non-empty string, got ${show(value)}`;

export const isBoolean: Check = (value) =>
  typeof value === 'boolean' ? undefined : `must be true or false, got ${show(value)}`;

export const isFunction: Check = (value) =>
  typeof value === 'function' ? undefined : `must be a function, got ${show(value)}`;

export const isObject: Check = (value) =>
  typeof value === 'object' && value !== null ? undefined : `must be an object, got ${show(value)}`;

/** By its methods, so that what another copy or build of a package made is as good. */
export function hasMethods(...names: readonly string[]): Check {
  return (value) => {
    const missing = names.filter((name) => typeof (value as Record<string, unknown> | null)?.[name] !== 'function');
    return missing.length === 0
      ? undefined
      : `must have ${missing.map((name) => `${name}()`).join(' and ')}, got ${show(value)}`;
  };
}

/** The same, told by what such a thing is called. */
export function isWith(methods: string | readonly string[], what: string): Check {
  const hasThem = hasMethods(...[methods].flat());
  return (value) => (hasThem(value) === undefined ? undefined : `must be ${what}, got ${show(value)}`);
}

export const isAnything: Check = () => undefined;

/** The longest delay Node's timers keep: a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export const isDuration: Check = (value) =>
  typeof value === 'number' && value > 0 && value <= MAX_TIMER_MS
    ? undefined
    : `must be a number of milliseconds from 1 to ${String(MAX_TIMER_MS)}, got ${show(value)}`;

export function isIntegerBetween(min: number, max: number): Check {
  return (value) =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max
      ? undefined
      : `must be an integer from ${String(min)} to ${String(max)}, got ${show(value)}`;
}

export function isOneOf(...allowed: readonly string[]): Check {
  return (value) =>
    allowed.includes(value as string) ? undefined : `must be one of ${allowed.join(', ')}; got ${show(value)}`;
}

/** A value as an error message shows it: short, on one line, never the inside of an object. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}

/** Among more names than this, guessing for a list of mistakes takes minutes. */
const MAX_GUESSES = 1000;

/** `; did you mean "x"?` where one of the known names is close, else nothing. */
export function suggestion(name: string, known: readonly string[]): string {
  const near = known
    .slice(0, MAX_GUESSES)
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0];
  return near && near.distance <= 2 ? `; did you mean ${JSON.stringify(near.candidate)}?` : '';
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(
        Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)),
      );
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
