/**
 * Direct to MX: what a domain costs whose exchanges are remembered, beside a relay that a route
 * names; and many domains that nobody has asked about before, with a name server 20 ms away.
 */
import { DnsServer } from '../dns/dns-server.js';
import { startSink } from '../smtp-sink.js';
import type { Bench } from './bench.js';
import { number, spread, table, verdict } from './report.js';
import { inTurn, ratios, spreadOf } from './rounds.js';

const CONNECTIONS = 20;
const ROUND_MS = 400;
const COLD_MS = 20;
/** Of what is remembered of a domain: its answers, its exchange, and the state of that. */
const OCTETS_A_DOMAIN = 8192;

const PEERS = ['Deliverer', 'Deliverer to MX'] as const;

export const dns: Bench = {
  name: 'dns',

  async run(workers, { quick }) {
    const domains = quick ? 2_000 : 10_000;
    const here = { a: ['127.0.0.1'] };
    const zone = Object.fromEntries(Array.from({ length: domains }, (_, i) => [`example${String(i)}.com`, here]));
    await using sink = await startSink();
    await using near = await DnsServer.start({ 'example.com': here });
    await using far = await DnsServer.start(zone, { delayMs: COLD_MS });
    const settings = {
      ports: [sink.port],
      connections: CONNECTIONS,
      size: 4096,
      recipients: 1,
    };

    const running = PEERS.map((peer) =>
      workers.start({ ...settings, peer, atOnce: CONNECTIONS, ...(peer === 'Deliverer' ? {} : { dns: near.address }) }),
    );
    const results = await inTurn(
      running.map((worker) => () => worker.perform({ do: 'pump', forMs: ROUND_MS })),
      quick ? 5 : 21,
      quick ? 2 : 4,
    );
    await workers.stop();
    const rates = results.map((rounds) => rounds.map(({ messages, ms }) => (messages * 1000) / ms));
    const [relay = [], mx = []] = rates;
    console.log('\n4 KiB, one domain');
    table(
      [
        { title: '', width: 18 },
        { title: 'msgs/s', width: 24 },
        { title: 'of the relay', width: 20 },
      ],
      PEERS.map((peer, i) => [peer, spread(spreadOf(rates[i] ?? [])), spread(ratios(rates[i] ?? [], relay), 2)]),
    );
    const met = [verdict({ what: 'of the relay', atLeast: 0.95, value: ratios(mx, relay).median })];

    const worker = workers.start({ ...settings, peer: 'Deliverer to MX', atOnce: 100, pool: false, dns: far.address }, [
      '--expose-gc',
    ]);
    const cold = await worker.perform({ do: 'soak', messages: domains, every: domains / 10 });
    await workers.stop();
    const [first, last] = [cold.memory[0], cold.memory.at(-1)];
    const octets = ((last?.heapUsed ?? NaN) - (first?.heapUsed ?? NaN)) / (domains - domains / 10);
    console.log(
      `\n${number(domains)} cold domains, name server ${String(COLD_MS)} ms away, 100 messages at once: ` +
        `${number(cold.ms)} ms, ${number((domains * 1000) / cold.ms)} msgs/s, ${number(far.queries.length)} queries`,
    );
    met.push(
      verdict({ what: 'queries at once', atMost: 200, value: far.mostAtOnce, digits: 0 }),
      verdict({ what: 'heap, octets a domain', atMost: OCTETS_A_DOMAIN, value: octets, digits: 0 }),
    );
    return met;
  },
};
