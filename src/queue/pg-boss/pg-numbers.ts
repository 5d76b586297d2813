/**
 * What is counted, in shards: added to within the transactions of others, summed up when asked for.
 */
import type { Failure } from '../../core/failure.js';
import type { HostStatus, QueueCounters, TopHostsOptions } from '../delivery-queue.js';
import { shownCounters, type Counts } from '../domain-tally.js';
import type { DomainChange } from '../engine/mail-record.js';
import type { PgRunner } from './pg-pool.js';
import type { Tables } from './pg-schema.js';
import { runWithValues } from './pg-values.js';

const SHARDS = 16;
const COUNTED = ['delivered', 'soft_bounces', 'dns', 'refused', 'expired', 'other', 'discarded', 'removed'] as const;
const SUMMED = ['active', 'in_flight', 'held', ...COUNTED] as const;
const SUMS = SUMMED.map((name) => `sum(${name})::float8 AS ${name}`).join(', ');
const BY: Readonly<Record<Required<TopHostsOptions>['by'], string>> = {
  active: 'sum(active)',
  inFlight: 'sum(in_flight)',
  delivered: 'sum(delivered)',
  softBounces: 'sum(soft_bounces)',
  hardBounces: 'sum(dns + refused + expired + other)',
};

type SumRow = Omit<Counts, 'softBounces'> & {
  readonly soft_bounces: number;
  readonly active: number;
  readonly in_flight: number;
  readonly held: number;
};

export class PgNumbers {
  readonly #tables: Tables;
  readonly #shard: number;

  /** @param dice in [0, 1): where this process counts */
  constructor(tables: Tables, dice: number) {
    this.#tables = tables;
    this.#shard = Math.floor(dice * SHARDS);
  }

  /** Within a transaction: a row for each domain, in the order of names, so that locks are taken in one order. */
  async add(client: PgRunner, changes: readonly DomainChange[]): Promise<void> {
    const types = ['text', 'smallint', ...SUMMED.map(() => 'bigint'), 'text', 'float8', 'text'];
    const rows = sumsOf(changes).map(({ domain, sums, attempt, failure }) => [
      domain,
      this.#shard,
      ...SUMMED.map((name) => sums[name]),
      attempt?.state,
      attempt?.at,
      failure && JSON.stringify(failure),
    ]);
    const sums = SUMMED.map((name) => `${name} = c.${name} + excluded.${name}`);
    const seen = ['state', 'last_attempt_at', 'last_failure'].map(
      (name) => `${name} = coalesce(excluded.${name}, c.${name})`,
    );
    await runWithValues(types, rows, ({ text, values }) =>
      client.query(
        `INSERT INTO ${this.#tables.count} AS c VALUES ${text}
         ON CONFLICT (domain, shard) DO UPDATE SET ${[...sums, ...seen].join(', ')}`,
        values,
      ),
    );
  }

  async counters(runner: PgRunner): Promise<QueueCounters> {
    const { count, domain } = this.#tables;
    const { rows } = await runner.query(
      `SELECT ${SUMS}, exists(SELECT 1 FROM ${domain} WHERE name = '*' AND suspended) AS suspended FROM ${count}`,
    );
    const [row] = rows as (SumRow & { readonly suspended: boolean })[];
    return { ...shownCounters(countsOf(row)), ...standingOf(row), suspended: row?.suspended ?? false };
  }

  async topDomains(runner: PgRunner, { by, limit }: Required<TopHostsOptions>): Promise<string[]> {
    const { rows } = await runner.query(
      `SELECT domain FROM ${this.#tables.count} GROUP BY domain HAVING ${BY[by]} > 0
       ORDER BY ${BY[by]} DESC, domain LIMIT $1`,
      [limit],
    );
    return (rows as { domain: string }[]).map(({ domain }) => domain);
  }

  /** All but what only the messages tell. */
  async status(runner: PgRunner, name: string): Promise<HostStatus> {
    const { count, domain } = this.#tables;
    const { rows } = await runner.query(
      `SELECT ${SUMS}, exists(SELECT 1 FROM ${domain} WHERE name = $1 AND suspended) AS suspended
       FROM ${count} WHERE domain = $1`,
      [name],
    );
    const [row] = rows as (SumRow & { readonly suspended: boolean })[];
    const last = await runner.query(
      `SELECT state, last_attempt_at, last_failure FROM ${count} WHERE domain = $1 AND last_attempt_at IS NOT NULL
       ORDER BY last_attempt_at DESC`,
      [name],
    );
    const attempts = last.rows as { state: 'up' | 'down'; last_attempt_at: number; last_failure: string | null }[];
    const [attempt] = attempts;
    const failure = attempts.find(({ last_failure }) => last_failure !== null)?.last_failure;
    return {
      domain: name,
      state: attempt?.state ?? 'unknown',
      suspended: row?.suspended ?? false,
      ...standingOf(row),
      ...shownCounters(countsOf(row)),
      ...(attempt && { lastAttemptAt: attempt.last_attempt_at }),
      ...(typeof failure === 'string' && {
        lastFailure: JSON.parse(failure) as NonNullable<HostStatus['lastFailure']>,
      }),
    };
  }
}

interface DomainSum {
  readonly domain: string;
  readonly sums: Record<(typeof SUMMED)[number], number>;
  attempt?: DomainChange['attempt'];
  failure?: Failure;
}

/** One sum for each domain; of attempts the last says what is known of it. */
function sumsOf(changes: readonly DomainChange[]): DomainSum[] {
  const byDomain = new Map<string, DomainSum>();
  for (const { domain, active, inFlight, held, counts, attempt } of changes) {
    const sum = byDomain.get(domain) ?? { domain, sums: nothing() };
    byDomain.set(domain, sum);
    sum.sums.active += active;
    sum.sums.in_flight += inFlight;
    sum.sums.held += held;
    if (counts) {
      const { softBounces, ...same } = counts;
      sum.sums.soft_bounces += softBounces;
      for (const [name, count] of Object.entries(same)) sum.sums[name as keyof typeof same] += count;
    }
    if (attempt) sum.attempt = attempt;
    if (attempt?.failure) sum.failure = attempt.failure;
  }
  return [...byDomain.values()].sort((a, b) => (a.domain < b.domain ? -1 : 1));
}

function nothing(): DomainSum['sums'] {
  return Object.fromEntries(SUMMED.map((name) => [name, 0])) as DomainSum['sums'];
}

/** Sums of no rows are NULL. */
function countsOf(row: SumRow | undefined): Counts {
  return {
    delivered: row?.delivered ?? 0,
    softBounces: row?.soft_bounces ?? 0,
    dns: row?.dns ?? 0,
    refused: row?.refused ?? 0,
    expired: row?.expired ?? 0,
    other: row?.other ?? 0,
    discarded: row?.discarded ?? 0,
    removed: row?.removed ?? 0,
  };
}

function standingOf(row: SumRow | undefined): Pick<HostStatus, 'active' | 'inFlight' | 'held'> {
  return { active: row?.active ?? 0, inFlight: row?.in_flight ?? 0, held: row?.held ?? 0 };
}
