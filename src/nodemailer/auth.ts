/**
 * A relay's `auth` as nodemailer's connection takes it. For OAuth2 one token generator serves all
 * connections to the relay, so that a token is fetched once and not for each of them.
 */
import XOAuth2Module from 'nodemailer/lib/xoauth2/index.js';
import type { SmtpVia } from '../core/relay.js';
import type { AppMailer } from './app-side.js';
import type { ConnectionAuth } from './smtp-connection.js';

type XOAuth2Class = typeof XOAuth2Module;

const XOAuth2: XOAuth2Class = (XOAuth2Module as XOAuth2Class & { default?: XOAuth2Class }).default ?? XOAuth2Module;

/** nodemailer's `auth` option. */
interface AuthOption {
  readonly type?: string;
  readonly user?: string;
  readonly pass?: string;
  readonly method?: string;
  readonly options?: Record<string, unknown>;
}

/** Undefined if the relay asks for no authentication. */
export function connectionAuth(via: SmtpVia, mailer: AppMailer | undefined): ConnectionAuth | undefined {
  if (via.auth === undefined) return undefined;
  const auth: AuthOption = via.auth;
  const type = (auth.type ?? '').toUpperCase();
  if (type === 'OAUTH2') {
    const oauth2 = new XOAuth2({ ...auth });
    // Its errors also reach the login callback; without a listener they would end the process.
    oauth2.on('error', () => undefined);
    oauth2.on('token', (token) => mailer?.emit('token', token));
    const provide = mailer?.get('oauth2_provision_cb') as typeof oauth2.provisionCallback | undefined;
    if (provide) oauth2.provisionCallback = provide;
    return { type, user: auth.user ?? '', oauth2, method: 'XOAUTH2' };
  }
  return {
    type: type || 'LOGIN',
    user: auth.user ?? '',
    credentials: { user: auth.user ?? '', ...(auth.pass !== undefined && { pass: auth.pass }), options: auth.options },
    method: auth.method ?? via.authMethod ?? false,
  };
}
