/**
 * The crash run: processes that submit and deliver on one queue are killed with SIGKILL at random
 * instants, over and over, while the server refuses, defers and drops; then one empties the queue,
 * and what the server took is held against what was acknowledged.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';
import { seededRandom } from 'smtp-routes/testing';
import { root } from '../docs/run-typescript.js';
import { startUnreliableServer } from './unreliable-server.js';

export interface CrashOptions {
  /** Where the queue is, as `open-queue.ts` reads it. */
  readonly place: string;
  readonly seconds: number;
  readonly seed: number;
  /** Processes at once. */
  readonly workers: number;
  /** How long a process lives at most before it is killed. */
  readonly lifeMs: number;
  readonly drainMs: number;
  /** Other mischief while they run. `disturbed` notes a moment in which a copy may be made. */
  readonly meanwhile?: (workers: ReadonlySet<ChildProcess>, disturbed: () => void) => Promise<void>;
}

export interface CrashReport {
  readonly kills: number;
  readonly stored: number;
  readonly lost: readonly string[];
  /** What must not happen. */
  readonly problems: readonly string[];
  /** Of the last process; empty if it did not empty the queue. */
  readonly counters: string;
  /** Everything, in one line. */
  readonly summary: string;
}

const worker = fileURLToPath(new URL('crash-worker.ts', import.meta.url));

/** Without an IPC channel: what the process says is on its standard output or was never said. */
function startWorker(
  args: readonly string[],
  onLine: (line: string) => void,
): { child: ChildProcess; ended: Promise<void> } {
  const child = spawn(process.execPath, ['--import', 'tsx', worker, ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TSX_TSCONFIG_PATH: `${root}/tsconfig.json` },
  });
  const lines = createInterface({ input: child.stdout });
  lines.on('line', onLine);
  const ended = Promise.all([
    new Promise((resolve) => child.once('exit', resolve)),
    new Promise((resolve) => lines.once('close', resolve)),
  ]).then(() => undefined);
  return { child, ended };
}

export async function crashRun(options: CrashOptions): Promise<CrashReport> {
  const { place, seconds, seed, workers, lifeMs, drainMs, meanwhile } = options;
  const random = seededRandom(seed);
  let moment = 0;
  const next = (): number => ++moment;
  const server = await startUnreliableServer(seededRandom(seed + 1), next);
  const stored = new Set<string>();
  const committed = new Map<string, number>();
  const kills: number[] = [];
  const disturbances: number[] = [];
  const problems: string[] = [];
  const running = new Set<ChildProcess>();
  const hear = (line: string): void => {
    const [word = '', id = ''] = line.split(' ');
    if (word === 'stored') stored.add(id);
    else if (word === 'delivered') committed.set(id, next());
  };
  try {
    const end = performance.now() + seconds * 1000;
    let number = 0;
    const killAgainAndAgain = async (): Promise<void> => {
      while (performance.now() < end) {
        let ready: () => void = () => undefined;
        const isReady = new Promise<void>((resolve) => (ready = resolve));
        const name = `w${String(number++)}`;
        const { child, ended } = startWorker([place, String(server.port), name], (line) => {
          if (line === 'ready') ready();
          else hear(line);
        });
        running.add(child);
        await Promise.race([isReady, ended]);
        await new Promise((resolve) => setTimeout(resolve, random() * lifeMs));
        if (child.exitCode !== null) problems.push(`${name} ended by itself with ${String(child.exitCode)}`);
        child.kill('SIGKILL');
        running.delete(child);
        await ended;
        kills.push(next());
      }
    };
    const mischief = meanwhile?.(running, () => disturbances.push(next()));
    await Promise.all([...Array.from({ length: workers }, killAgainAndAgain), mischief]);
    server.recover();
    let counters = '';
    const { child, ended } = startWorker([place, String(server.port), 'last', 'drain'], (line) => {
      if (line.startsWith('counters ')) counters = line.slice('counters '.length);
      else hear(line);
    });
    const limit = setTimeout(() => child.kill('SIGKILL'), drainMs);
    await ended;
    clearTimeout(limit);

    const copies = new Map<string, number[]>();
    const bounced = new Set<string>();
    for (const { id, bounceOf, at } of server.accepted) {
      if (bounceOf === undefined) copies.set(id, [...(copies.get(id) ?? []), at]);
      else bounced.add(bounceOf);
    }
    const lost = [...stored].filter((id) => !copies.has(id) && !bounced.has(id));
    let extra = 0;
    for (const [id, times] of copies) {
      for (const [i, at] of times.entries()) {
        const before = times[i - 1];
        if (before === undefined) continue;
        extra++;
        const killedBetween = [...kills, ...disturbances].some((moment) => moment > before && moment < at);
        const said = committed.get(id);
        if (!killedBetween) problems.push(`${id} came again although nobody was killed meanwhile`);
        if (said !== undefined && said < at) problems.push(`${id} came again after its delivery was committed`);
      }
    }
    const summary =
      `seed ${String(seed)}: ${String(kills.length)} kills, ${String(stored.size)} stored, ` +
      `${String(copies.size)} delivered, ${String(bounced.size)} bounced, ${String(lost.length)} lost, ` +
      `${String(extra)} extra copies in the window, ${String(server.faults)} faults, ` +
      `${String(server.swallowed)} swallowed without a reply; ${counters}`;
    return { kills: kills.length, stored: stored.size, lost, problems, counters, summary };
  } finally {
    await server.close();
  }
}
