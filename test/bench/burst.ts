/**
 * A thousand messages at once, and the first of two hosts says 450 to every recipient. All of them
 * are to be at the second host when the burst is over; a queue that defers on 450 keeps them.
 */
import { startSmtpServer } from '../../src/testing/index.js';
import type { Bench } from './bench.js';
import type { PeerName } from './peers.js';
import { number, spread, table, verdict } from './report.js';
import { inTurn, spreadOf } from './rounds.js';
import { startSink } from '../smtp-sink.js';
import type { TaskResult } from './tasks.js';

const MESSAGES = 1000;
const CONNECTIONS = 20;
const WARM_UP = 1;
const PEERS = ['Deliverer', 'try/catch'] as const satisfies readonly PeerName[];

export const burst: Bench = {
  name: 'burst',

  async run(workers, { quick }) {
    await using sink = await startSink();
    await using busy = await startSmtpServer({ script: '450@rcpt 4.2.1 try again later', keep: 'counts' });
    const settings = { connections: CONNECTIONS, ports: [busy.port, sink.port], size: 4096, recipients: 1 };
    const rounds = quick ? 1 : 3;
    const results = await inTurn(
      PEERS.map((peer) => {
        const worker = workers.start({ peer, ...settings, atOnce: MESSAGES });
        return () => worker.perform({ do: 'burst', messages: MESSAGES });
      }),
      rounds,
      WARM_UP,
    );
    await workers.stop();

    console.log(`\n${number(MESSAGES)} messages at once, 450 to RCPT at the first host; ${String(rounds)} rounds`);
    table(
      [
        { title: '', width: 12 },
        { title: 'ms', width: 24 },
        { title: 'by the first', width: 14 },
        { title: 'by the second', width: 15 },
        { title: 'tries at the first', width: 20 },
      ],
      PEERS.map((peer, i) => [
        peer,
        spread(spreadOf((results[i] ?? []).map(({ ms }) => ms))),
        ...perBurst(results[i] ?? [], rounds).map((count) => number(count)),
      ]),
    );
    const [, second = NaN] = perBurst(results[0] ?? [], rounds);
    return [verdict({ what: 'delivered by the second host', atLeast: MESSAGES, digits: 0, value: second })];
  },
};

/** Taken by the first host, by the second, and failed tries: for one burst. */
function perBurst(results: readonly TaskResult[], rounds: number): number[] {
  const { delivered = [], burst: early = 0, later = 0 } = results.at(-1)?.tally ?? {};
  return [...delivered, early + later].map((count) => count / (WARM_UP + rounds));
}
