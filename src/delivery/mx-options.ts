/**
 * How exchanges that DNS names are spoken to. They belong to strangers, so credentials have no
 * place here; and since anybody can answer for their names, encryption is opportunistic: an
 * unverified session in place of a clear one, and a clear one in place of none (RFC 7435).
 */
import type { Check } from '../core/check-options.js';
import type { SmtpVia } from '../core/relay.js';
import { SMTP_VIA_CHECKS } from '../core/smtp-via-options.js';

/** `port` is 25 by default. */
export type MxOptions = Omit<SmtpVia, 'host' | 'lookup' | 'auth' | 'authMethod' | 'customAuth' | 'servername'>;

const {
  host: _host,
  lookup: _lookup,
  auth: _auth,
  authMethod: _authMethod,
  customAuth: _customAuth,
  servername: _servername,
  ...CHECKS
} = SMTP_VIA_CHECKS as Record<keyof SmtpVia, Check>;

export const MX_CHECKS: Readonly<Record<keyof MxOptions, Check>> = CHECKS;

const DEFAULTS = { port: 25, secure: false, opportunisticTLS: true, tls: { rejectUnauthorized: false } };

/** The settings for one exchange. */
export function mxVia(options: MxOptions, host: string): SmtpVia & { readonly port: number } {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as MxOptions;
  return { ...DEFAULTS, ...given, tls: { ...DEFAULTS.tls, ...given.tls }, host };
}
