/**
 * What the benches print: tables, and one verdict for each target.
 */
import type { Spread } from './rounds.js';

export interface Column {
  readonly title: string;
  readonly width: number;
}

export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): void {
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (i === 0 ? cell.padEnd(columns[i]?.width ?? 0) : cell.padStart(columns[i]?.width ?? 0)))
      .join('');
  console.log(line(columns.map(({ title }) => title)));
  for (const row of rows) console.log(line(row));
}

export function number(value: number, digits = 0): string {
  return value.toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits });
}

/** `2.31 (2.10–2.50)`. */
export function spread({ median, min, max }: Spread, digits = 0): string {
  return `${number(median, digits)} (${number(min, digits)}–${number(max, digits)})`;
}

/** A bound, and what was measured. */
export interface Target {
  readonly what: string;
  readonly atLeast?: number;
  readonly atMost?: number;
  readonly value: number;
  readonly digits?: number;
  /** What is hoped for, beyond the bound. */
  readonly note?: string;
}

/** Prints `what: target ≥ 2.0: 2.31 ok`, and answers whether it was met. */
export function verdict({ what, atLeast, atMost, value, digits = 2, note }: Target): boolean {
  const met = value >= (atLeast ?? -Infinity) && value <= (atMost ?? Infinity);
  const bounds = [
    ...(atLeast === undefined ? [] : [`≥ ${number(atLeast, digits)}`]),
    ...(atMost === undefined ? [] : [`≤ ${number(atMost, digits)}`]),
  ];
  const said = note === undefined ? '' : ` (${note})`;
  console.log(`  ${what}: target ${bounds.join(', ')}${said}: ${number(value, digits)} ${met ? 'ok' : 'MISSED'}`);
  return met;
}
