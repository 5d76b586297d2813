/**
 * The envelope of a composed message, as the deliverer takes it. nodemailer keeps it in three
 * places: the headers or `envelope`, `dsn`, and a flag for REQUIRETLS.
 */
import type { DsnParameters, Envelope } from '../delivery/relay-transport.js';
import type { MailData, NodemailerMail, ShownEnvelope } from './nodemailer-mail.js';

/** nodemailer's names for RFC 3461 parameters; each has an alias. */
interface NodemailerDsn {
  readonly ret?: string;
  readonly return?: string;
  readonly envid?: string;
  readonly id?: string;
  readonly notify?: string | readonly string[];
  readonly recipient?: string;
  readonly orcpt?: string;
}

interface NodemailerEnvelope {
  readonly from?: string | false;
  readonly to?: readonly string[];
  readonly dsn?: NodemailerDsn;
  readonly use8BitMime?: unknown;
  readonly requireTLSExtensionEnabled?: unknown;
}

export interface MailEnvelope {
  /** As it is delivered. */
  readonly envelope: Envelope;
  /** As `info.envelope` shows it. */
  readonly shown: ShownEnvelope;
}

export function mailEnvelope({ data, message }: NodemailerMail): MailEnvelope {
  const composed: NodemailerEnvelope = message.getEnvelope();
  const given: MailData = data;
  const { to = [] } = composed;
  const from = composed.from || '';
  const dsn = dsnParameters(given.dsn ?? composed.dsn);
  return {
    envelope: {
      from,
      to,
      ...(dsn && { dsn }),
      ...(composed.use8BitMime === true && { use8BitMime: true }),
      ...(Boolean(given.requireTLSExtensionEnabled ?? composed.requireTLSExtensionEnabled) && {
        requireTLSExtensionEnabled: true,
      }),
    },
    shown: { from, to: [...to] },
  };
}

function dsnParameters(given: unknown): DsnParameters | undefined {
  if (typeof given !== 'object' || given === null) return undefined;
  const dsn: NodemailerDsn = given;
  const { notify } = dsn;
  const ret = dsn.ret ?? dsn.return;
  const envid = dsn.envid ?? dsn.id;
  const orcpt = dsn.recipient ?? dsn.orcpt;
  return {
    ...(ret && { ret }),
    ...(envid && { envid }),
    ...(notify && { notify }),
    ...(orcpt && { orcpt }),
  };
}
