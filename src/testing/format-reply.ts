/**
 * A reply as it stands on the wire (RFC 5321 4.2.1). The scripted transport builds its replies from
 * the same lines, so that both kinds of test read the same text.
 */

/** The lines of a reply, each with its CRLF; a line feed in `text` begins a continuation line. */
export function formatReply(code: number, text: string): string {
  const lines = text.split(/\r?\n/);
  return lines.map((line, i) => `${String(code)}${i < lines.length - 1 ? '-' : ' '}${line}\r\n`).join('');
}
