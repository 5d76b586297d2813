/**
 * What a server announces for a session.
 */
import type { Failure } from '../core/failure.js';

/** The keywords of an EHLO reply (RFC 5321 4.1.1.1). */
export function extensionsOf(ehlo: string | false): ReadonlySet<string> {
  const lines = ehlo === false ? [] : ehlo.split(/\r?\n/).slice(1);
  return new Set(lines.map((line) => (/^250[ -](\S+)/.exec(line)?.[1] ?? '').toUpperCase()));
}

export const NEEDS_SMTPUTF8: Failure = {
  kind: 'unsupported',
  need: 'SMTPUTF8',
  enhanced: '5.6.7',
  message: 'the address needs SMTPUTF8, which the server does not offer',
};
