/**
 * The first of two hosts is dead, in four ways. Once the first time-outs are over, `Deliverer`
 * should be as fast as with the good host alone; and it should have troubled the dead one about as
 * often as it has connections and probes, however much mail went by. Beside it a `try`/`catch`
 * over two nodemailer pools, as one writes it without a library.
 *
 * Time-outs and cooling are far shorter than the defaults, so that the run is short: that makes
 * probes more frequent, not fewer.
 */
import { startSmtpServer, type SmtpTestServer } from '../../src/testing/index.js';
import type { Bench } from './bench.js';
import type { PeerSettings } from './peers.js';
import { number, spread, table, verdict } from './report.js';
import { inTurn, ratios, spreadOf } from './rounds.js';
import { startSink } from '../smtp-sink.js';
import type { TaskResult } from './tasks.js';
import type { Worker, Workers } from './workers.js';

const CONNECTIONS = 20;
const ROUND_MS = 600;
/** More than there are connections, as a gateway has: a delivery that waits for a probe leaves no connection idle. */
const AT_ONCE = 2 * CONNECTIONS;
const TIMEOUT_MS = 500;
const COOLING = { initialMs: 1000, maxMs: 4000 };

const WAYS: readonly { readonly what: string; readonly script: string }[] = [
  { what: 'refused', script: 'refused' },
  { what: 'silent', script: 'stall@greeting' },
  { what: '431 greeting', script: '431@greeting mail.example.com\nMail system full' },
  { what: '421 at EHLO', script: '421@ehlo 4.3.2 too busy' },
];

/** One row: a first host that is dead in one way, and what was measured. */
interface Row {
  readonly what: string;
  readonly server: SmtpTestServer | undefined;
  readonly ours: readonly TaskResult[];
  readonly caught: readonly TaskResult[];
}

export const failover: Bench = {
  name: 'failover',

  async run(workers, { quick }) {
    await using sink = await startSink();
    const startDead = (): Promise<SmtpTestServer[]> =>
      Promise.all(WAYS.map(({ script }) => startSmtpServer({ script, keep: 'counts' })));
    const servers = await startDead();
    const serversOfCaught = await startDead();
    const start = (peer: PeerSettings['peer'], ports: readonly number[]): Worker =>
      startPeer(workers, { peer, ports, connections: CONNECTIONS, timeoutMs: TIMEOUT_MS, cooling: COOLING });

    const alone = start('Deliverer', [sink.port]);
    const ours = servers.map(({ port }) => start('Deliverer', [port, sink.port]));
    const since = performance.now();
    const rounds = quick ? 3 : 15;
    const warmUp = quick ? 2 : 4;
    const [good = [], ...others] = await inTurn([alone, ...ours].map(pumping), rounds, warmUp);
    const probes = probesDue(performance.now() - since);
    const caught = serversOfCaught.map(({ port }) => start('try/catch', [port, sink.port]));
    const caughtResults = await inTurn(caught.map(pumping), quick ? 1 : 5, 1);
    await workers.stop();
    for (const server of [...servers, ...serversOfCaught]) await server.close();

    console.log(
      `\nfirst host dead, second good; ${String(rounds)} rounds of ${String(ROUND_MS)} ms after ${String(warmUp)} that do not count; ` +
        `time-outs ${String(TIMEOUT_MS)} ms, cooling ${String(COOLING.initialMs)}–${String(COOLING.maxMs)} ms`,
    );
    console.log(`good host alone: ${spread(spreadOf(rate(good)))} msgs/s`);
    const rows = WAYS.map(({ what }, i): Row => ({
      what,
      server: servers[i],
      ours: others[i] ?? [],
      caught: caughtResults[i] ?? [],
    }));
    printRows(rows, good);
    return rows.flatMap((row) => judge(row, good, probes));
  },
};

const pumping = (worker: Worker) => (): Promise<TaskResult> => worker.perform({ do: 'pump', forMs: ROUND_MS });

function startPeer(workers: Workers, settings: PeerSettings): Worker {
  return workers.start({ ...settings, atOnce: AT_ONCE, size: 4096, recipients: 1 });
}

const rate = (rounds: readonly TaskResult[]): number[] => rounds.map(({ messages, ms }) => (messages * 1000) / ms);

const cpu = (rounds: readonly TaskResult[]): number[] => rounds.map(({ messages, cpuUs }) => cpuUs / messages);

/** The most probes that the cooling allows in so long a time. */
function probesDue(ms: number): number {
  let probes = 0;
  let cooling = COOLING.initialMs;
  for (let at = cooling; at < ms; at += cooling) {
    probes++;
    cooling = Math.min(cooling * 2, COOLING.maxMs);
  }
  return probes;
}

function printRows(rows: readonly Row[], good: readonly TaskResult[]): void {
  table(
    [
      { title: 'first host', width: 14 },
      { title: 'msgs/s', width: 24 },
      { title: 'of good alone', width: 20 },
      { title: 'CPU of it', width: 11 },
      { title: 'failed tries', width: 14 },
      { title: 'then probes', width: 13 },
      { title: 'it saw', width: 9 },
      { title: 'slowest ms', width: 12 },
      { title: 'try/catch msgs/s', width: 22 },
    ],
    rows.map(({ what, server, ours, caught }) => {
      const tally = ours.at(-1)?.tally;
      return [
        what,
        spread(spreadOf(rate(ours))),
        spread(ratios(rate(ours), rate(good)), 2),
        number(ratios(cpu(ours), cpu(good)).median, 2),
        number(tally?.burst ?? NaN),
        number(tally?.later ?? NaN),
        server === undefined || server.refusing ? '-' : number(server.connections),
        number(tally?.slowestMs ?? NaN),
        spread(spreadOf(rate(caught))),
      ];
    }),
  );
}

function judge({ what, ours }: Row, good: readonly TaskResult[], probes: number): boolean[] {
  const tally = ours.at(-1)?.tally;
  const failed = (tally?.burst ?? NaN) + (tally?.later ?? NaN);
  return [
    verdict({ what: `${what}, of good alone`, atLeast: 0.95, value: ratios(rate(ours), rate(good)).median }),
    verdict({
      what: `${what}, failed tries`,
      atMost: CONNECTIONS + probes,
      digits: 0,
      note: `${String(CONNECTIONS)} connections and ${String(probes)} probes due`,
      value: failed,
    }),
  ];
}
