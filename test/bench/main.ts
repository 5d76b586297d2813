/**
 * Builds the benches like the published package and runs them: under tsx each inner function would
 * cost an `Object.defineProperty`, ours and nobody else's.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../.config/subpaths.js';

const PROGRAMS = ['index', 'worker-main', 'engine-main', 'routes'].map((name) => `test/bench/${name}.ts`);
const OPTIONS = ['--no-config', '--format', 'esm', '--no-dts', '--target', 'node20.19', '--log-level', 'error'];

// Below the package, so that its dependencies are found from there.
const cache = join(root, 'node_modules', '.cache');
mkdirSync(cache, { recursive: true });
const folder = mkdtempSync(join(cache, 'smtp-routes-bench-'));
process.once('exit', () => {
  rmSync(folder, { recursive: true, force: true });
});

const tsdown = join(root, 'node_modules', 'tsdown', 'dist', 'run.mjs');
const { status, stderr } = spawnSync(process.execPath, [tsdown, ...PROGRAMS, '--out-dir', folder, ...OPTIONS], {
  cwd: root,
  encoding: 'utf8',
});
if (status !== 0) throw new Error(`the benches could not be built\n${stderr}`);

const benches = spawn(process.execPath, [join(folder, 'index.mjs'), ...process.argv.slice(2)], { stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => benches.kill(signal));
process.exitCode = await new Promise<number>((resolve) => benches.once('exit', (code) => resolve(code ?? 1)));
