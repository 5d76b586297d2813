/** The version of a peer that the tests see, for the name of the test. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { otherPeers } from '../../.config/peers.js';

const require = createRequire(import.meta.url);

export function peerVersion(name: 'bullmq' | 'ioredis' | 'pg-boss'): string {
  const folder = otherPeers.find((one) => one.name === name)?.folder;
  const file = folder === undefined ? require.resolve(`${name}/package.json`) : join(folder, 'package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string }).version;
}
