/**
 * The server's side of an AUTH command (RFC 4954) for the three mechanisms that mail clients use: PLAIN,
 * LOGIN and XOAUTH2. It reads credentials and leaves judging them to the test.
 */

/** What a client authenticates with. For XOAUTH2 `pass` is the access token. */
export interface Credentials {
  readonly mechanism: string;
  readonly user: string;
  readonly pass: string;
}

/** Whether credentials will do. */
export type Judge = (credentials: Credentials) => boolean;

/** How an exchange ends: who it is, or why nobody. */
export type AuthResult = { readonly user: string } | 'refused' | 'unreadable';

/** Yields each challenge as it goes after `334`, takes the client's answer, and returns how it ended. */
export function* authExchange(
  mechanism: string,
  initial: string | undefined,
  judge: Judge,
): Generator<string, AuthResult, string> {
  switch (mechanism) {
    case 'PLAIN': {
      const [, user, pass] = decode(initial ?? (yield '')).split('\0');
      if (user === undefined || pass === undefined) return 'unreadable';
      return judge({ mechanism, user, pass }) ? { user } : 'refused';
    }
    case 'LOGIN': {
      const user = decode(initial ?? (yield encode('Username:')));
      const pass = decode(yield encode('Password:'));
      return judge({ mechanism, user, pass }) ? { user } : 'refused';
    }
    case 'XOAUTH2': {
      const answer = decode(initial ?? (yield ''));
      const [, user, pass] = XOAUTH2.exec(answer) ?? [];
      if (user === undefined || pass === undefined) return 'unreadable';
      if (judge({ mechanism, user, pass })) return { user };
      // Why a token is refused comes as one more challenge, which the client answers with an empty line.
      yield encode('{"status":"401","schemes":"bearer"}');
      return 'refused';
    }
    default:
      return 'unreadable';
  }
}

// eslint-disable-next-line no-control-regex
const XOAUTH2 = /^user=([^\u0001]*)\u0001auth=Bearer ([^\u0001]*)\u0001\u0001$/;

function encode(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** `=` stands for an empty initial response (RFC 4954 4). */
function decode(text: string): string {
  return text === '=' ? '' : Buffer.from(text, 'base64').toString();
}
