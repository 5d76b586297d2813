/**
 * Credentials that the tests use, and how to find them again where they must not be.
 */

export const SECRETS = {
  password: 'correct-horse-battery',
  token: 'ya29.a-bearer-token',
  wrong: 'incorrect-horse',
} as const;

/** The secrets that a text holds, plain, in base64, or inside an AUTH exchange. */
export function secretsIn(text: string): string[] {
  const decoded = [...text.matchAll(/[A-Za-z0-9+/]{16,}={0,2}/g)].map(([word]) =>
    Buffer.from(word, 'base64').toString('latin1'),
  );
  const all = [text, ...decoded].join('\n');
  return Object.values(SECRETS).filter((secret) => all.includes(secret));
}
