/**
 * A server program of the machine, as a child of the tests: started on a port and a folder of its
 * own, and surely gone with the process that started it.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const START_LIMIT_MS = 30_000;

export interface Program {
  readonly file: string;
  readonly flags: readonly string[];
  readonly uid?: number;
  readonly gid?: number;
  readonly isReady: () => Promise<boolean>;
}

export class ServerProcess {
  #child: ChildProcess | undefined;
  readonly #program: Program;
  readonly #kill = (): unknown => this.#child?.kill('SIGKILL');

  constructor(program: Program) {
    this.#program = program;
  }

  /** Starts the program, again if it was stopped. */
  async start(): Promise<void> {
    const { file, flags, uid, gid, isReady } = this.#program;
    let said = '';
    const child = spawn(file, flags, {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(uid !== undefined && { uid }),
      ...(gid !== undefined && { gid }),
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2000)));
    }
    child.on('error', (error) => (said += error.message));
    this.#child = child;
    process.once('exit', this.#kill);
    const limit = performance.now() + START_LIMIT_MS;
    while (!(await isReady())) {
      if (child.exitCode !== null || child.pid === undefined || performance.now() > limit) {
        await this.stop('SIGKILL');
        throw new Error(`${file} did not start: ${said}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    process.off('exit', this.#kill);
    const child = this.#child;
    this.#child = undefined;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
  }
}

/** Where a program is, by the PATH and then further folders. */
export function findProgram(name: string, folders: readonly string[] = []): string | undefined {
  const all = [...(process.env['PATH'] ?? '').split(delimiter), ...folders];
  return all.map((folder) => join(folder, name)).find((path) => existsSync(path));
}
