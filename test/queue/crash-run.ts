/**
 * The crash run: processes that submit and deliver on one queue are killed with SIGKILL at random
 * instants, over and over, while the server refuses, defers and drops; then one empties the queue,
 * and what the server took is held against what was acknowledged.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';
import { seededRandom } from 'smtp-routes/testing';
import { root } from '../docs/run-typescript.js';
import { killedAfterMs, problemsOf, reasonFor, type Happened, type Moment } from './extra-copies.js';
import { startUnreliableServer, type Accepted } from './unreliable-server.js';

export interface CrashOptions {
  /** Where the queue is, as `open-queue.ts` reads it. */
  readonly place: string;
  /** The mischief ends after so long at the latest. */
  readonly seconds: number;
  /** And before that, once so many messages were stored and most of them delivered. */
  readonly messages?: number;
  readonly seed: number;
  /** Of the SMTP server: how many of the transactions go wrong. */
  readonly faultRate: number;
  /** Processes at once. */
  readonly workers: number;
  /** How long a process lives at most before it is killed. */
  readonly lifeMs: number;
  readonly drainMs: number;
  readonly meanwhile?: (mischief: Mischief) => Promise<void>;
}

/** What else may be done while they run. */
export interface Mischief {
  /** Resolves when so many messages are stored, or the end has come. */
  readonly stored: (messages: number) => Promise<void>;
  /** Stops the youngest process for so long. */
  readonly freeze: (ms: number) => Promise<void>;
  /** Does something to what is behind the queue, which any worker may feel. */
  readonly disturb: (what: () => Promise<void>) => Promise<void>;
}

export interface CrashReport {
  readonly kills: number;
  readonly stored: number;
  /** Copies made because a worker whom nothing befell was slower than its lease. */
  readonly late: number;
  readonly lost: readonly string[];
  /** What must not happen. */
  readonly problems: readonly string[];
  /** Of the last process; empty if it did not empty the queue. */
  readonly counters: string;
  /** Everything, in one line. */
  readonly summary: string;
}

/** Of `messages`, when the mischief ends. */
const MOST = 0.97;

const worker = fileURLToPath(new URL('crash-worker.ts', import.meta.url));

/** Without an IPC channel: what the process says is on its standard output or was never said. */
function startWorker(
  args: readonly string[],
  onLine: (line: string) => void,
): { child: ChildProcess; ended: Promise<void> } {
  const child = spawn(process.execPath, ['--import', 'tsx', worker, ...args], {
    cwd: root,
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, TSX_TSCONFIG_PATH: `${root}/tsconfig.json` },
  });
  // It may be dead when it is told something.
  child.stdin.on('error', () => undefined);
  const lines = createInterface({ input: child.stdout });
  lines.on('line', onLine);
  const ended = Promise.all([
    new Promise((resolve) => child.once('exit', resolve)),
    new Promise((resolve) => lines.once('close', resolve)),
  ]).then(() => undefined);
  return { child, ended };
}

export async function crashRun(options: CrashOptions): Promise<CrashReport> {
  const { place, seconds, messages = Infinity, seed, faultRate, workers, lifeMs, drainMs, meanwhile } = options;
  const random = seededRandom(seed);
  let number = 0;
  const next = (): number => ++number;
  const now = (): Moment => ({ at: next(), ms: performance.now() });
  const server = await startUnreliableServer(seededRandom(seed + 1), next, faultRate);
  const stored = new Set<string>();
  const committed = new Map<string, number>();
  const late = new Map<string, { by: string; at: number }[]>();
  const killed = new Map<string, Moment>();
  const frozen = new Map<string, Moment>();
  const disturbances: Moment[] = [];
  const problems: string[] = [];
  const running = new Map<string, ChildProcess>();
  const hear = (by: string, line: string): void => {
    const [word = '', id = ''] = line.split(' ');
    if (word === 'delivered' && !committed.has(id)) committed.set(id, next());
    if (word === 'late') late.set(id, [...(late.get(id) ?? []), { by, at: next() }]);
    if (word !== 'stored') return;
    stored.add(id);
    if (stored.size === messages) for (const child of running.values()) child.stdin?.write('enough\n');
  };
  const end = performance.now() + seconds * 1000;
  const isOver = (): boolean =>
    performance.now() > end ||
    (stored.size >= messages && new Set(server.accepted.map((one) => one.bounceOf ?? one.id)).size > MOST * messages);
  const mischief: Mischief = {
    stored: async (count) => {
      while (stored.size < count && !isOver()) await sleep(20);
    },
    freeze: async (ms) => {
      const [name, child] = [...running].at(-1) ?? [];
      if (name === undefined) return;
      frozen.set(name, now());
      child?.kill('SIGSTOP');
      await sleep(ms);
      child?.kill('SIGCONT');
    },
    disturb: async (what) => {
      disturbances.push(now());
      await what();
      disturbances.push(now());
    },
  };
  try {
    let names = 0;
    const killAgainAndAgain = async (): Promise<void> => {
      while (!isOver()) {
        let ready: () => void = () => undefined;
        const isReady = new Promise<void>((resolve) => (ready = resolve));
        const name = `w${String(names++)}`;
        const { child, ended } = startWorker([place, String(server.port), name], (line) => {
          if (line === 'ready') ready();
          else hear(name, line);
        });
        running.set(name, child);
        if (stored.size >= messages) child.stdin?.write('enough\n');
        await Promise.race([isReady, ended]);
        for (const until = performance.now() + random() * lifeMs; performance.now() < until && !isOver();) {
          await sleep(Math.min(50, Math.max(1, until - performance.now())));
        }
        if (child.exitCode !== null) problems.push(`${name} ended by itself with ${String(child.exitCode)}`);
        killed.set(name, now());
        child.kill('SIGKILL');
        running.delete(name);
        await ended;
      }
    };
    await Promise.all([...Array.from({ length: workers }, killAgainAndAgain), meanwhile?.(mischief)]);
    server.recover();
    const before = server.accepted.length;
    let counters = '';
    const { child, ended } = startWorker([place, String(server.port), 'last', 'drain'], (line) => {
      if (line.startsWith('counters ')) counters = line.slice('counters '.length);
      else hear('last', line);
    });
    const limit = setTimeout(() => child.kill('SIGKILL'), drainMs);
    await ended;
    clearTimeout(limit);

    const copies = new Map<string, Accepted[]>();
    const bounced = new Set<string>();
    for (const one of server.accepted) {
      if (one.bounceOf === undefined) copies.set(one.id, [...(copies.get(one.id) ?? []), one]);
      else bounced.add(one.bounceOf);
    }
    const lost = [...stored].filter((id) => !copies.has(id) && !bounced.has(id));
    const happened: Happened = { killed, frozen, disturbances, late, committed };
    const extra = { killed: 0, frozen: 0, disturbed: 0, late: 0, unexplained: 0 };
    let longest = 0;
    for (const all of copies.values()) {
      for (const [i, copy] of all.entries()) {
        const first = all[i - 1];
        if (!first) continue;
        const reason = reasonFor(first, copy, happened);
        extra[reason]++;
        problems.push(...problemsOf(first, copy, happened));
        if (reason === 'killed') longest = Math.max(longest, killedAfterMs(first, copy, happened));
      }
    }
    const summary =
      `seed ${String(seed)}: ${String(killed.size)} kills, ${String(stored.size)} stored, ` +
      `${String(copies.size)} delivered (${String(server.accepted.length - before)} in the calm at the end), ` +
      `${String(bounced.size)} bounced, ${String(lost.length)} lost, extra copies: ${String(extra.killed)} of killed ` +
      `workers (longest time from 250 to kill ${longest.toFixed(0)} ms), ${String(extra.frozen)} of the stopped one, ` +
      `${String(extra.late)} of others that were slower than their lease (so said of ${String(late.size)} messages), ` +
      `${String(extra.disturbed)} around the restart, ${String(extra.unexplained)} without a reason; ${String(server.faults)} faults, ` +
      `${String(server.swallowed)} swallowed without a reply; ${counters}`;
    return { kills: killed.size, stored: stored.size, late: extra.late, lost, problems, counters, summary };
  } finally {
    await server.close();
  }
}
