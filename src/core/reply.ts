/**
 * Reads a server's reply. What a stranger sends is made safe here, once: bounded, and free of
 * characters that could break a log line, a header or a terminal.
 */
import type { SmtpReply } from './failure.js';

/** Nearly every reply there is: one line, with or without an enhanced status code. */
const ONE_LINE = /^([2-5]\d\d)(?:[ -](?:([245]\.\d{1,3}\.\d{1,3})(?: +|$))?|$)/;

/** Reads the lines of a reply: code, enhanced status code of the same class (RFC 2034 4), text. Undefined if it is none. */
export function parseReply(raw: string): SmtpReply | undefined {
  const lines = raw.includes('\n') ? raw.split(/\r?\n/).filter((line) => line !== '') : [raw];
  const [first = ''] = lines;
  const start = ONE_LINE.exec(first);
  if (!start) return undefined;
  const [prefix, digits = '', status] = start;
  const code = Number(digits);
  const enhanced = status?.startsWith(digits.charAt(0)) ? status : undefined;
  const rest = enhanced === undefined ? first.slice(4) : first.slice(prefix.length);
  const text = printable([rest, ...lines.slice(1).map((line) => textOf(line, enhanced))].join('\n'));
  return enhanced === undefined ? { code, text } : { code, enhanced, text };
}

/** A further line without its code and the status that each line repeats. */
function textOf(line: string, enhanced: string | undefined): string {
  const text = line.replace(/^\d{3}[ -]?/, '');
  return enhanced !== undefined && text.startsWith(enhanced) ? text.slice(enhanced.length).trimStart() : text;
}

/** A reply as one string, as the server gave it: `550 5.1.1 no such user`. */
export function replyText({ code, enhanced, text }: SmtpReply): string {
  return [String(code), enhanced, text].filter(Boolean).join(' ');
}

/** How much of a server's text is kept: more than any honest reply has. */
const MAX_TEXT = 2000;

// eslint-disable-next-line no-control-regex
const UNPRINTABLE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029]/;
const UNPRINTABLE_ALL = new RegExp(UNPRINTABLE, 'g');

/** A server's text without control characters, so that it can neither break a log line nor a header. Line feeds between reply lines stay. */
export function printable(text: string): string {
  const clean = UNPRINTABLE.test(text) ? text.replace(UNPRINTABLE_ALL, '?') : text;
  return clean.length > MAX_TEXT ? `${clean.slice(0, MAX_TEXT)}…` : clean;
}

/** The same on one line, for logs: line feeds become a literal `\n`. */
export function onOneLine(text: string): string {
  return printable(text).replaceAll('\n', '\\n');
}
