/** Runs what a user would run: npm, node, tsc. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { root } from '../../.config/subpaths.js';

const execute = promisify(execFile);

/** Installing takes the longest. What hangs must not hang the tests. */
const LIMIT_MS = 240_000;

/** @returns what it wrote to standard output. @throws with all that it wrote if it fails. */
export async function run(cwd: string, command: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const [file = '', ...args] = command;
  try {
    const { stdout } = await execute(file, args, {
      cwd,
      env: { ...process.env, ...env },
      maxBuffer: 2 ** 26,
      timeout: LIMIT_MS,
    });
    return stdout;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error([command.join(' '), stdout, stderr].join('\n'), { cause: error });
  }
}

/** Packs what `dist/` holds now; answers the tarball in `folder` and the paths in it. */
export async function pack(folder: string): Promise<{ tarball: string; files: string[] }> {
  const report = await run(root, ['npm', 'pack', '--json', '--ignore-scripts', '--pack-destination', folder]);
  const [{ filename, files }] = JSON.parse(report) as [{ filename: string; files: { path: string }[] }];
  return { tarball: join(folder, basename(filename)), files: files.map(({ path }) => path) };
}

/** A command of one of our development dependencies. */
export function tool(name: string): string {
  return join(root, 'node_modules', '.bin', name);
}

/** The version of a package that is installed here, which is the one in the lock file. */
export function lockedVersion(name: string): string {
  const manifest: unknown = JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8'));
  return (manifest as { version: string }).version;
}
