/**
 * Many messages, each to another recipient at another domain: what the heap holds after them must
 * not depend on how many there were.
 */
import { anyDriver } from '../queue/sqlite-drivers.js';
import type { Bench } from './bench.js';
import type { PeerName } from './peers.js';
import { number, table, verdict } from './report.js';
import { startSink } from '../smtp-sink.js';
import type { Memory } from './tasks.js';
import type { Workers } from './workers.js';

const CONNECTIONS = 20;
/** The first samples still show code being compiled. */
const SETTLING = 2;
/** Octets a message. Whatever could be left behind takes more, with its place in a list. */
const HEAP_ALLOWED = 16;
/** The process as a whole moves by megabytes. */
const RSS_ALLOWED = 64;

const PEERS = ['Deliverer', 'sqliteQueue'] as const satisfies readonly PeerName[];

export const memory: Bench = {
  name: 'memory',

  async run(workers, { quick }) {
    const met: boolean[] = [];
    for (const peer of PEERS) {
      if (peer === 'sqliteQueue' && !anyDriver) console.log(`\n${peer}: skipped, there is no SQLite driver`);
      else met.push(...(await soak(workers, peer, quick ? 30_000 : 200_000)));
    }
    return met;
  },
};

async function soak(workers: Workers, peer: PeerName, messages: number): Promise<boolean[]> {
  await using sink = await startSink();
  const settings = { ports: [sink.port], connections: CONNECTIONS, atOnce: CONNECTIONS, size: 4096, recipients: 1 };
  const worker = workers.start({ peer, ...settings }, ['--expose-gc']);
  const result = await worker.perform({ do: 'soak', messages, every: messages / 10 });
  await workers.stop();

  console.log(`\n${peer}: ${number(messages)} messages, memory after garbage collection`);
  const mb = (octets: number): string => number(octets / 2 ** 20, 2);
  table(
    [
      { title: 'messages', width: 12 },
      { title: 'heap MiB', width: 12 },
      { title: 'process MiB', width: 14 },
    ],
    result.memory.map(({ messages: sent, heapUsed, rss }) => [number(sent), mb(heapUsed), mb(rss)]),
  );
  const settled = result.memory.slice(SETTLING);
  return [
    verdict({
      what: 'heap, octets a message',
      atMost: HEAP_ALLOWED,
      value: slope(settled, ({ heapUsed }) => heapUsed),
    }),
    verdict({ what: 'process, octets a message', atMost: RSS_ALLOWED, value: slope(settled, ({ rss }) => rss) }),
  ];
}

/** Octets gained a message: the slope of the line through all samples with the least squares. */
function slope(samples: readonly Memory[], of: (sample: Memory) => number): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const meanX = mean(samples.map(({ messages }) => messages));
  const meanY = mean(samples.map(of));
  const xy = samples.reduce((sum, sample) => sum + (sample.messages - meanX) * (of(sample) - meanY), 0);
  const xx = samples.reduce((sum, { messages }) => sum + (messages - meanX) ** 2, 0);
  return xy / xx;
}
