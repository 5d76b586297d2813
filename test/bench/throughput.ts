/**
 * Rendered messages to one relay that is up: `Deliverer` beside nodemailer's pool, and beside
 * nodemailer's connection driven directly, which is the floor that both stand on.
 */
import type { Bench } from './bench.js';
import type { PeerName } from './peers.js';
import { number, spread, table, verdict } from './report.js';
import { inTurn, ratios, spreadOf } from './rounds.js';
import { startSink } from '../smtp-sink.js';
import type { TaskResult } from './tasks.js';

const PEERS = ['SMTPPool', 'SMTPConnection', 'Deliverer'] as const satisfies readonly PeerName[];
const CONNECTIONS = 20;
/** Short, so that peers in one round meet the same disturbances. */
const ROUND_MS = 400;

interface Case {
  readonly what: string;
  readonly size: number;
  readonly recipients: number;
  /** Of the pool's throughput. */
  readonly ofPool?: number;
  /** Of the pool's CPU time a message. */
  readonly cpuOfPool?: number;
  /** Of the bare connection's throughput. */
  readonly ofBare?: number;
}

const CASES: readonly Case[] = [
  { what: '4 KiB', size: 4096, recipients: 1, ofPool: 2, cpuOfPool: 0.45, ofBare: 0.85 },
  { what: '1 KiB', size: 1024, recipients: 1, ofPool: 2 },
  { what: '20 KiB', size: 20_480, recipients: 1 },
  { what: '4 KiB, 100 recipients', size: 4096, recipients: 100, ofPool: 2 },
];

export const throughput: Bench = {
  name: 'throughput',

  async run(workers, { quick }) {
    const met: boolean[] = [];
    await using sink = await startSink();
    for (const each of CASES) {
      const { what, size, recipients } = each;
      const running = PEERS.map((peer) =>
        workers.start({ peer, ports: [sink.port], connections: CONNECTIONS, atOnce: CONNECTIONS, size, recipients }),
      );
      const warmUp = quick ? 2 : 4;
      const rounds = quick ? 3 : each.ofBare === undefined ? 11 : 21;
      const results = await inTurn(
        running.map((worker) => () => worker.perform({ do: 'pump', forMs: ROUND_MS })),
        rounds,
        warmUp,
      );
      await workers.stop();
      console.log(`\n${what}; ${String(rounds)} rounds of ${String(ROUND_MS)} ms`);
      met.push(...print(each, results));
    }
    return met;
  },
};

function print({ ofPool, cpuOfPool, ofBare }: Case, results: readonly TaskResult[][]): boolean[] {
  const rates = results.map((rounds) => rounds.map(({ messages, ms }) => (messages * 1000) / ms));
  const cpu = results.map((rounds) => rounds.map(({ messages, cpuUs }) => cpuUs / messages));
  const [pool = [], bare = [], ours = []] = rates;
  const [poolCpu = [], , oursCpu = []] = cpu;
  table(
    [
      { title: '', width: 16 },
      { title: 'msgs/s', width: 24 },
      { title: 'CPU µs a message', width: 22 },
      { title: 'of SMTPPool', width: 20 },
      { title: 'of SMTPConnection', width: 20 },
    ],
    PEERS.map((peer, i) => [
      peer,
      spread(spreadOf(rates[i] ?? [])),
      number(spreadOf(cpu[i] ?? []).median),
      spread(ratios(rates[i] ?? [], pool), 2),
      spread(ratios(rates[i] ?? [], bare), 2),
    ]),
  );
  const met: boolean[] = [];
  if (ofPool !== undefined) {
    met.push(verdict({ what: 'of SMTPPool', atLeast: ofPool, note: 'aim 2.50', value: ratios(ours, pool).median }));
  }
  if (cpuOfPool !== undefined) {
    met.push(verdict({ what: 'CPU of SMTPPool', atMost: cpuOfPool, value: ratios(oursCpu, poolCpu).median }));
  }
  if (ofBare !== undefined) {
    met.push(verdict({ what: 'of SMTPConnection', atLeast: ofBare, value: ratios(ours, bare).median }));
  }
  return met;
}
