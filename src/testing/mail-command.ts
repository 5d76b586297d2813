/**
 * Reads MAIL and RCPT, and holds the client to what the server offered: a parameter of an extension
 * that was not offered is refused (RFC 5321 4.1.1.11), so that a client that does not look shows.
 */

export interface MailCommand {
  readonly address: string;
  readonly args: string;
}

/** A reply: code, and text with its enhanced status code. */
export type ReplyLine = readonly [code: number, text: string];

const NEEDS: Readonly<Record<string, string>> = {
  SIZE: 'SIZE',
  BODY: '8BITMIME',
  SMTPUTF8: 'SMTPUTF8',
  AUTH: 'AUTH',
  REQUIRETLS: 'REQUIRETLS',
  RET: 'DSN',
  ENVID: 'DSN',
  NOTIFY: 'DSN',
  ORCPT: 'DSN',
};

/** Reads `MAIL FROM:<…> …` or `RCPT TO:<…> …`; undefined if it is not written so. */
export function parseMailCommand(line: string): MailCommand | undefined {
  const [, address, args = ''] = /^(?:MAIL FROM|RCPT TO): ?<([^>]*)>(?: +(.*))?$/i.exec(line) ?? [];
  return address === undefined ? undefined : { address, args };
}

/** What a server with these `extensions` must refuse; `utf8` where the message was announced as SMTPUTF8. */
export function refusalOf(command: MailCommand, extensions: readonly string[], utf8: boolean): ReplyLine | undefined {
  // eslint-disable-next-line no-control-regex
  if (!utf8 && /[^\u0000-\u007f]/.test(command.address)) return [553, '5.6.7 address needs SMTPUTF8'];
  if (command.args === '') return undefined;
  const offered = new Map(extensions.map((one) => [one.split(' ')[0]?.toUpperCase(), one.split(' ')[1]]));
  for (const arg of command.args.split(' ').filter(Boolean)) {
    const [name = '', value] = arg.toUpperCase().split('=');
    const need = NEEDS[name];
    if (need === undefined || !offered.has(need)) return [555, `5.5.4 parameter ${name} not recognized`];
    const limit = Number(offered.get('SIZE') ?? 0);
    if (name === 'SIZE' && limit > 0 && Number(value) > limit) return [552, '5.3.4 message too big'];
  }
  return undefined;
}

/** The bytes that a SIZE extension allows; no limit without one. */
export function sizeLimit(extensions: readonly string[]): number {
  const limit = extensions.map((one) => /^SIZE (\d+)$/i.exec(one)?.[1]).find((found) => found !== undefined);
  return Number(limit ?? 0) || Infinity;
}
