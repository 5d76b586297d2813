/**
 * A failed login without the credentials. A server may quote the command that it refuses, and the
 * command is the password in base64; its reply goes into outcomes, events and logs.
 */
import type { Failure } from '../core/failure.js';
import type { ConnectionAuth } from './smtp-connection.js';

/** Shorter ones would make every other word a secret. */
const MIN_SECRET = 4;

/** What nodemailer's login knows: a password, or what OAuth2 tokens are made of. */
interface Secrets {
  readonly credentials?: { readonly pass?: unknown };
  readonly oauth2?: { readonly accessToken?: unknown; readonly options?: Readonly<Record<string, unknown>> };
}

export function withoutSecrets(failure: Failure, auth: ConnectionAuth | undefined): Failure {
  if (!auth) return failure;
  const secrets = secretsOf(auth as unknown as Secrets);
  if (failure.kind === 'reply') {
    return { ...failure, reply: { ...failure.reply, text: masked(failure.reply.text, secrets) } };
  }
  return { ...failure, message: masked(failure.message, secrets) };
}

function secretsOf({ credentials, oauth2 }: Secrets): string[] {
  const { accessToken, refreshToken, clientSecret, privateKey } = oauth2?.options ?? {};
  const all = [credentials?.pass, oauth2?.accessToken, accessToken, refreshToken, clientSecret, privateKey];
  return all.filter((secret): secret is string => typeof secret === 'string' && secret.length >= MIN_SECRET);
}

/** Word by word, as it is and as base64. */
function masked(text: string, secrets: readonly string[]): string {
  return text.replace(/\S+/g, (word) => {
    const decoded = Buffer.from(word, 'base64').toString();
    return secrets.some((secret) => word.includes(secret) || decoded.includes(secret)) ? '***' : word;
  });
}
