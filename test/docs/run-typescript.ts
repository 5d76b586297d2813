/**
 * Runs a TypeScript file as a user would, in a process of its own, with `smtp-routes` meaning the
 * sources.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const root: string = fileURLToPath(new URL('../..', import.meta.url));

const run = promisify(execFile);

/** Resolves with what it printed; rejects if it fails. */
export async function runTypeScript(file: string): Promise<{ stdout: string; stderr: string }> {
  const tsx = fileURLToPath(import.meta.resolve('tsx/cli'));
  return await run(process.execPath, [tsx, '--tsconfig', `${root}/tsconfig.json`, file], { timeout: 60_000 });
}
