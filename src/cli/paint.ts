/**
 * Colours, on a terminal alone: never in a pipe or a file, and not where NO_COLOR asks for none
 * (no-color.org).
 */
import { styleText } from 'node:util';

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

export type Paint = (style: Style, text: string) => string;

export const plain: Paint = (_style, text) => text;

/** Whether the terminal is one was asked before: Node must not ask about another stream. */
export const coloured: Paint = (style, text) => styleText(style, text, { validateStream: false });

export function mayPaint(terminal: boolean, env: Readonly<Record<string, string | undefined>>): boolean {
  return terminal && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
}
