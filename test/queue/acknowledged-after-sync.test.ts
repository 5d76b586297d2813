/**
 * The order that power loss depends on, seen from outside with strace: before each acknowledgement
 * of a submit, the log was written and synced.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { root } from '../docs/run-typescript.js';
import { anyDriver, scratch } from './sqlite-drivers.js';

/** Not allowed in some containers even where it is installed. */
const canTrace = spawnSync('strace', ['-f', '-e', 'trace=fsync', 'true']).status === 0;

test.skipIf(!anyDriver || !canTrace)(
  'no submit is acknowledged before its commit is synced',
  { timeout: 60_000 },
  () => {
    const folder = scratch();
    const trace = join(dirname(folder.file), 'trace.txt');
    try {
      const script = fileURLToPath(new URL('acknowledge.ts', import.meta.url));
      const { status, stderr } = spawnSync(
        'strace',
        [
          '-f',
          '-y',
          '-e',
          'trace=fsync,fdatasync,pwrite64,write',
          '-o',
          trace,
          process.execPath,
          '--import',
          'tsx',
          script,
          folder.file,
        ],
        { cwd: root, encoding: 'utf8', env: { ...process.env, TSX_TSCONFIG_PATH: `${root}/tsconfig.json` } },
      );
      expect(status, stderr).toBe(0);
      let unsynced = false;
      let syncs = 0;
      const seen: string[] = [];
      for (const line of readFileSync(trace, 'utf8').split('\n')) {
        if (/pwrite64\(\d+<[^>]*queue\.db-wal>/.test(line)) unsynced = true;
        else if (/f(data)?sync\(\d+<[^>]*queue\.db-wal>/.test(line)) {
          unsynced = false;
          syncs++;
        } else {
          const word = /write\(1<[^>]*>, "(single|group) \d+/.exec(line)?.[1];
          if (word !== undefined) seen.push(`${word}: ${unsynced ? 'not synced' : 'synced'} ${String(syncs)}`);
        }
      }
      expect(seen).toHaveLength(10);
      expect(seen.filter((one) => one.includes('not synced'))).toEqual([]);
      const single = seen.filter((one) => one.startsWith('single'));
      expect(new Set(single).size, 'a single caller: a sync for each').toBe(5);
      const group = seen.filter((one) => one.startsWith('group'));
      expect(new Set(group).size, 'five callers at once: one sync').toBe(1);
    } finally {
      folder.remove();
    }
  },
);
