/**
 * Processes that submit and deliver are killed with SIGKILL at random instants, over and over, while
 * the server refuses, defers and drops. In the end nothing is lost, and nothing comes twice but what
 * a kill caught between the server's 250 and our commit.
 *
 * SMTP_ROUTES_CRASH_SECONDS=600 runs for longer, SMTP_ROUTES_SEED=… with other dice.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { seededRandom } from 'smtp-routes/testing';
import { root } from '../docs/run-typescript.js';
import { anyDriver, scratch } from './sqlite-drivers.js';
import { startUnreliableServer } from './unreliable-server.js';

const SECONDS = Number(process.env['SMTP_ROUTES_CRASH_SECONDS'] ?? 12);
const SEED = Number(process.env['SMTP_ROUTES_SEED'] ?? 5);
/** Processes at once, on one file. */
const WORKERS = 2;
const DRAIN_MS = 60_000;

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

test.skipIf(!anyDriver)(
  `nothing is lost in ${String(SECONDS)} seconds of kill -9`,
  { timeout: SECONDS * 1000 + DRAIN_MS + 30_000 },
  async () => {
    const random = seededRandom(SEED);
    let moment = 0;
    const next = (): number => ++moment;
    const server = await startUnreliableServer(seededRandom(SEED + 1), next);
    const folder = scratch();
    const { file } = folder;
    const stored = new Set<string>();
    const committed = new Map<string, number>();
    const kills: number[] = [];
    const problems: string[] = [];
    const hear = (line: string): void => {
      const [word = '', id = ''] = line.split(' ');
      if (word === 'stored') stored.add(id);
      else if (word === 'delivered') committed.set(id, next());
    };
    try {
      const end = performance.now() + SECONDS * 1000;
      let number = 0;
      const killAgainAndAgain = async (): Promise<void> => {
        while (performance.now() < end) {
          let ready: () => void = () => undefined;
          const isReady = new Promise<void>((resolve) => (ready = resolve));
          const name = `w${String(number++)}`;
          const { child, ended } = startWorker([file, String(server.port), name], (line) => {
            if (line === 'ready') ready();
            else hear(line);
          });
          await Promise.race([isReady, ended]);
          await new Promise((resolve) => setTimeout(resolve, random() * 900));
          if (child.exitCode !== null) problems.push(`${name} ended by itself with ${String(child.exitCode)}`);
          child.kill('SIGKILL');
          await ended;
          kills.push(next());
        }
      };
      await Promise.all(Array.from({ length: WORKERS }, killAgainAndAgain));
      server.recover();
      let counters = '';
      const { child, ended } = startWorker([file, String(server.port), 'last', 'drain'], (line) => {
        if (line.startsWith('counters ')) counters = line.slice('counters '.length);
        else hear(line);
      });
      const limit = setTimeout(() => child.kill('SIGKILL'), DRAIN_MS);
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
          const killedBetween = kills.some((kill) => kill > before && kill < at);
          const said = committed.get(id);
          if (!killedBetween) problems.push(`${id} came again although nobody was killed meanwhile`);
          if (said !== undefined && said < at) problems.push(`${id} came again after its delivery was committed`);
        }
      }
      console.log(
        `crash test, seed ${String(SEED)}: ${String(kills.length)} kills, ${String(stored.size)} stored, ` +
          `${String(copies.size)} delivered, ${String(bounced.size)} bounced, ${String(lost.length)} lost, ` +
          `${String(extra)} extra copies in the window, ${String(server.faults)} faults, ` +
          `${String(server.swallowed)} swallowed without a reply; ${counters}`,
      );
      expect(counters, 'the last process emptied the queue').not.toBe('');
      expect(lost).toEqual([]);
      expect(problems).toEqual([]);
      expect(kills.length).toBeGreaterThan(2);
      expect(stored.size).toBeGreaterThan(20);
    } finally {
      await server.close();
      folder.remove();
    }
  },
);
