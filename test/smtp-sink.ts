/**
 * Postfix' `smtp-sink`: a second implementation of SMTP for the tests; and for the benches a server
 * faster than anything written in JavaScript, so that what is measured is the client.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { delimiter, join } from 'node:path';
import { freePort } from './free-port.js';

const BACKLOG = '1024';
const START_LIMIT_MS = 5_000;

export interface Sink extends AsyncDisposable {
  readonly port: number;
}

/** There is nothing to measure against. */
export class NoSinkError extends Error {
  constructor() {
    super('smtp-sink is not installed; it comes with Postfix (Debian: apt-get install postfix)');
  }
}

export function isSinkInstalled(): boolean {
  return findSink() !== undefined;
}

/**
 * @param flags of smtp-sink, such as `-r RCPT`: see its manual page
 * @throws {NoSinkError} where Postfix is not installed
 */
export async function startSink(flags: readonly string[] = []): Promise<Sink> {
  const program = findSink();
  if (program === undefined) throw new NoSinkError();
  const port = await freePort();
  // As root it must be told who to be.
  const user = process.getuid?.() === 0 ? ['-u', 'postfix'] : [];
  const child = spawn(program, [...user, ...flags, '-m', BACKLOG, `127.0.0.1:${String(port)}`, BACKLOG], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const kill = (): boolean => child.kill();
  process.once('exit', kill);
  await listening(child, port);
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      process.off('exit', kill);
      const gone = new Promise((resolve) => child.once('exit', resolve));
      if (child.exitCode === null && kill()) await gone;
    },
  };
}

function findSink(): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, 'smtp-sink')).find((path) => existsSync(path));
}

async function listening(child: ChildProcess, port: number): Promise<void> {
  const limit = performance.now() + START_LIMIT_MS;
  while (!(await answers(port))) {
    if (child.exitCode !== null || performance.now() > limit) {
      child.kill();
      throw new Error(`smtp-sink did not start: ${child.spawnargs.join(' ')}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}
