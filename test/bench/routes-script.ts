/**
 * Route tables, in a process of their own: `routes.ts` is also a command by itself.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Bench } from './bench.js';

export const routes: Bench = {
  name: 'routes',

  async run(_workers, { quick }) {
    const script = fileURLToPath(new URL('routes.mjs', import.meta.url));
    const sizes = quick ? ['40000'] : ['40000', '1000000'];
    const child = spawn(process.execPath, [script, ...sizes], { stdio: 'inherit' });
    const code = await new Promise((resolve) => child.once('exit', resolve));
    return [code === 0];
  },
};
