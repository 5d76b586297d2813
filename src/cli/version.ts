/**
 * The version of this package, read where it is written down: in the next `package.json` above.
 */
import { existsSync, readFileSync } from 'node:fs';

export function version(): string {
  let folder = new URL('.', import.meta.url);
  while (!existsSync(new URL('package.json', folder)) && folder.pathname !== '/') folder = new URL('..', folder);
  const manifest: unknown = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8'));
  return (manifest as { version: string }).version;
}
