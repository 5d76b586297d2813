/**
 * Composed messages, as apps send them: `sendMail` through `RoutedTransport` beside `sendMail` through
 * nodemailer's pool, with the same options.
 */
import type { Bench } from './bench.js';
import type { PeerName } from './peers.js';
import { spread, table, verdict } from './report.js';
import { inTurn, ratios, spreadOf } from './rounds.js';
import { startSink } from '../smtp-sink.js';

const PEERS = ['SMTPPool composed', 'RoutedTransport'] as const satisfies readonly PeerName[];
const CONNECTIONS = 20;
/** Short, so that peers in one round meet the same disturbances. */
const ROUND_MS = 400;

const CASES = [
  { what: '4 KiB', size: 4096, recipients: 1, ofPool: 1.3 },
  { what: '4 KiB, 100 recipients', size: 4096, recipients: 100, ofPool: 2 },
] as const;

export const composed: Bench = {
  name: 'composed',

  async run(workers, { quick }) {
    const met: boolean[] = [];
    await using sink = await startSink();
    const settings = { ports: [sink.port], connections: CONNECTIONS, atOnce: CONNECTIONS };
    for (const { what, size, recipients, ofPool } of CASES) {
      const running = PEERS.map((peer) => workers.start({ peer, ...settings, size, recipients }));
      const rounds = quick ? 3 : 21;
      const results = await inTurn(
        running.map((worker) => () => worker.perform({ do: 'pump', forMs: ROUND_MS })),
        rounds,
        quick ? 2 : 4,
      );
      await workers.stop();
      console.log(`\n${what}; ${String(rounds)} rounds of ${String(ROUND_MS)} ms`);
      const rates = results.map((runs) => runs.map(({ messages, ms }) => (messages * 1000) / ms));
      const [pool = [], ours = []] = rates;
      table(
        [
          { title: '', width: 20 },
          { title: 'msgs/s', width: 24 },
          { title: 'of SMTPPool', width: 20 },
        ],
        PEERS.map((peer, i) => [peer, spread(spreadOf(rates[i] ?? [])), spread(ratios(rates[i] ?? [], pool), 2)]),
      );
      met.push(verdict({ what: 'of SMTPPool', atLeast: ofPool, value: ratios(ours, pool).median }));
    }
    return met;
  },
};
