/**
 * The queue on engines that serve many machines, beside the bare engine: submits, deliveries with
 * one, two and four worker processes, and what a message costs as the queue grows.
 */
import { Redis } from 'ioredis';
import { postgresMissing, startPostgres } from '../postgres-server.js';
import { redisMissing, startRedis } from '../redis-server.js';
import { startSink } from '../smtp-sink.js';
import type { Bench } from './bench.js';
import { fillPgBoss, fillRedis } from './engine-fill.js';
import type { EngineResult, EngineTask } from './engine-main.js';
import type { EngineName, EngineSettings } from './engine-peers.js';
import { number, spread, table, verdict } from './report.js';
import { inTurn, ratios, spreadOf } from './rounds.js';
import type { Worker, Workers } from './workers.js';

const CALLERS = 50;
const WORKERS = [1, 2, 4];
const WAITING = [1_000, 100_000, 1_000_000];
const TAKEN = 2_000;

type EngineWorker = Worker<EngineTask, EngineResult>;

export const engines: Bench = {
  name: 'engines',

  async run(workers, { quick }) {
    await using sink = await startSink();
    const met: boolean[] = [];
    if (redisMissing === undefined) {
      await using server = await startRedis();
      const place = `redis://127.0.0.1:${String(server.port)}`;
      const race = new Race(workers, { engine: 'BullMQ', place, sinkPort: sink.port }, quick);
      for (const fsync of ['always', 'everysec']) {
        await configure(place, fsync);
        console.log(`\nBullMQ on Redis, appendfsync ${fsync}`);
        await race.rates(fsync);
      }
      await configure(place, 'always');
      met.push(await race.growth((name, messages) => fillRedis(place, name, messages)));
    } else {
      console.log(`skipped: ${redisMissing}`);
      met.push(false);
    }
    if (postgresMissing === undefined) {
      await using server = await startPostgres();
      const place = server.connectionString();
      const race = new Race(workers, { engine: 'pg-boss', place, sinkPort: sink.port }, quick);
      console.log('\npg-boss on PostgreSQL, its defaults');
      await race.rates('defaults');
      met.push(await race.growth((name, messages) => fillPgBoss(place, name, messages)));
    } else {
      console.log(`skipped: ${postgresMissing}`);
      met.push(false);
    }
    return met;
  },
};

async function configure(place: string, fsync: string): Promise<void> {
  const redis = new Redis(place);
  await redis.config('SET', 'appendfsync', fsync);
  await redis.quit();
}

interface Where {
  readonly engine: EngineName;
  readonly place: string;
  readonly sinkPort: number;
}

/** Messages by the second, and what one costs all the worker processes together. */
interface Rate {
  readonly rate: number;
  readonly cpuUs: number;
  readonly statements: number;
}

class Race {
  readonly #workers: Workers;
  readonly #where: Where;
  readonly #quick: boolean;

  constructor(workers: Workers, where: Where, quick: boolean) {
    this.#workers = workers;
    this.#where = where;
    this.#quick = quick;
  }

  async rates(what: string): Promise<void> {
    const quick = this.#quick;
    const messages = quick ? 1000 : 3000;
    const most = Math.max(...WORKERS);
    const start = (whose: EngineSettings['whose']): EngineWorker[] =>
      Array.from({ length: most }, () => this.#start(whose, `${whose}-${what}`));
    const [ours, bare] = [start('ours'), start('bare')];
    // One after the other: pg-boss makes the same queue twice at a time only with a deadlock.
    for (const peer of [...ours, ...bare]) await peer.perform({ do: 'submit', messages: 0, callers: 0 });
    const cases = [
      { title: 'submit, one caller', run: (peers) => submit(peers, messages / 10, 1) },
      { title: `submit, ${String(CALLERS)} callers`, run: (peers) => submit(peers, messages, CALLERS) },
      { title: 'submit and deliver in one process', run: (peers) => one(peers, messages) },
      ...WORKERS.map((count) => ({
        title: `deliver, ${String(count)} worker${count === 1 ? '' : 's'}`,
        run: (peers: readonly EngineWorker[]) => drain(peers, messages, count),
      })),
    ] satisfies { title: string; run: (peers: readonly EngineWorker[]) => Promise<Rate> }[];
    const rows: string[][] = [];
    for (const { title, run } of cases) {
      const results = await inTurn([() => run(ours), () => run(bare)], quick ? 2 : 3, 1);
      const rates = results.map((rounds) => rounds.map(({ rate }) => rate));
      const [our = [], theirs = []] = rates;
      const [cpu, theirCpu, statements] = [results[0], results[1], results[0]].map((rounds = [], i) =>
        spreadOf(rounds.map((one) => (i === 2 ? one.statements : one.cpuUs))),
      );
      rows.push([
        title,
        spread(spreadOf(our)),
        spread(spreadOf(theirs)),
        spread(ratios(our, theirs), 2),
        number(cpu?.median ?? NaN),
        number(theirCpu?.median ?? NaN),
        ...(this.#where.engine === 'pg-boss' ? [number(statements?.median ?? NaN, 1)] : []),
      ]);
    }
    await this.#workers.stop();
    table(
      [
        { title: `${String(messages)} messages of 4 KiB`, width: 36 },
        { title: 'msgs/s', width: 22 },
        { title: 'bare engine', width: 22 },
        { title: 'of bare', width: 20 },
        { title: 'CPU µs', width: 8 },
        { title: 'bare', width: 8 },
        ...(this.#where.engine === 'pg-boss' ? [{ title: 'statements', width: 12 }] : []),
      ],
      rows,
    );
  }

  /** One worker process, with so much waiting: half of it due, half for a retry in an hour. */
  async growth(fill: (name: string, messages: number) => Promise<void>): Promise<boolean> {
    const costs: number[] = [];
    console.log(`\n${this.#where.engine}: what a message costs with so many waiting, half of them due`);
    for (const waiting of this.#quick ? WAITING.slice(0, 2) : WAITING) {
      const name = `waiting-${String(waiting)}`;
      const worker = this.#start('ours', name);
      await worker.perform({ do: 'both', messages: TAKEN, callers: CALLERS });
      await fill(name, waiting);
      const submitted = await worker.perform({ do: 'submit', messages: TAKEN, callers: CALLERS });
      const taken = await worker.perform({ do: 'drain', atMost: TAKEN });
      const costOf = ({ ms, messages }: EngineResult): number => (ms * 1000) / messages;
      costs.push(costOf(submitted) + costOf(taken));
      console.log(
        `  ${number(waiting)}: ${number(costOf(submitted))} µs to submit, ${number(costOf(taken))} µs to claim, deliver and settle`,
      );
      await this.#workers.stop();
    }
    const [first = NaN, last = NaN] = [costs[0], costs.at(-1)];
    return verdict({ what: 'cost with the most waiting, of the least', atMost: 2, value: last / first });
  }

  #start(whose: EngineSettings['whose'], name: string): EngineWorker {
    return this.#workers.startEngine({ ...this.#where, whose, name });
  }
}

/** What is submitted is then taken, so that each round begins with nothing. */
async function submit(peers: readonly EngineWorker[], messages: number, callers: number): Promise<Rate> {
  const submitted = await peers[0]!.perform({ do: 'submit', messages, callers });
  await peers[0]!.perform({ do: 'drain' });
  return together([submitted]);
}

async function one(peers: readonly EngineWorker[], messages: number): Promise<Rate> {
  return together([await peers[3]!.perform({ do: 'both', messages, callers: CALLERS })]);
}

async function drain(peers: readonly EngineWorker[], messages: number, count: number): Promise<Rate> {
  await peers[0]!.perform({ do: 'submit', messages, callers: CALLERS });
  return together(await Promise.all(peers.slice(0, count).map((peer) => peer.perform({ do: 'drain' }))));
}

function together(results: readonly EngineResult[]): Rate {
  const sum = (of: (one: EngineResult) => number): number => results.reduce((total, one) => total + of(one), 0);
  const messages = sum((one) => one.messages);
  return {
    rate: (messages * 1000) / Math.max(...results.map(({ ms }) => ms)),
    cpuUs: sum(({ cpuUs }) => cpuUs) / messages,
    statements: sum(({ statements }) => statements) / messages,
  };
}
