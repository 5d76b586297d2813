/**
 * Findings as compilers print them, `FILE:LINE: message`, so that editors and CI jump there.
 */
import type { TextOutput } from './command-context.js';
import type { Style } from './paint.js';
import type { Finding } from './routes-file.js';

/** Longer lists are cut: nobody reads the rest before the first is mended. */
const MAX_SHOWN = 50;

export function reportFindings(
  file: string,
  findings: readonly Finding[],
  output: TextOutput,
  label: string,
  style: Style,
): void {
  const { paint } = output;
  const lines = findings.slice(0, MAX_SHOWN).map(({ line, path, message }) => {
    const place = line === undefined ? file : `${file}:${String(line)}`;
    return `${paint('bold', `${place}:`)} ${paint(style, `${label}:`)} ${path === undefined ? '' : `${path}: `}${message}\n`;
  });
  if (findings.length > MAX_SHOWN) lines.push(`… and ${String(findings.length - MAX_SHOWN)} more (all with --json)\n`);
  output.write(lines.join(''));
}

/** `1 problem`, `2 problems`. */
export function counted(count: number, what: string): string {
  return `${count.toLocaleString('en')} ${what}${count === 1 ? '' : 's'}`;
}
