/**
 * Domains in Redis: which are suspended, how much the next success wakes, and what is counted.
 */
import type { HostStatus, QueueCounters, TopHostsOptions } from '../delivery-queue.js';
import { noCounts, shownCounters, type Counts } from '../domain-tally.js';
import type { Suspended } from '../engine/engine.js';
import { FIRST_WAKE, nextWake } from '../wake-up.js';
import { pairsOf, type RedisClient } from './redis.js';
import type { RedisKeys } from './redis-keys.js';

/** Stands for all domains. */
const ALL = '*';

export class RedisDomains {
  readonly #redis: RedisClient;
  readonly #keys: RedisKeys;

  constructor(redis: RedisClient, keys: RedisKeys) {
    this.#redis = redis;
    this.#keys = keys;
  }

  async suspended(): Promise<Suspended> {
    const domains = new Set((await this.#redis.call('SMEMBERS', this.#keys.suspended)) as string[]);
    return { all: domains.has(ALL), domains };
  }

  async suspend(domain: string = ALL, suspended: boolean): Promise<boolean> {
    return (await this.#redis.call(suspended ? 'SADD' : 'SREM', this.#keys.suspended, domain)) === 1;
  }

  async takeWake(domain: string): Promise<number> {
    const size = Number((await this.#redis.call('HGET', this.#keys.wake, domain)) ?? FIRST_WAKE);
    await this.#redis.call('HSET', this.#keys.wake, domain, nextWake(size));
    return size;
  }

  async resetWake(domain: string): Promise<void> {
    await this.#redis.call('HDEL', this.#keys.wake, domain);
  }

  async counters(): Promise<QueueCounters> {
    const [fields, all] = await Promise.all([this.#fields(this.#keys.total), this.#isSuspended(ALL)]);
    return { ...shownCounters(countsOf(fields)), ...standingOf(fields), suspended: all };
  }

  /** All but what only the messages tell. */
  async status(domain: string): Promise<HostStatus> {
    const key = this.#keys.counts(domain);
    const [fields, suspended] = await Promise.all([this.#fields(key), this.#isSuspended(domain)]);
    const { state = 'unknown', lastAttemptAt, lastFailure } = fields;
    return {
      domain,
      state: state as HostStatus['state'],
      suspended,
      ...standingOf(fields),
      ...shownCounters(countsOf(fields)),
      ...(lastAttemptAt !== undefined && { lastAttemptAt: Number(lastAttemptAt) }),
      ...(lastFailure !== undefined && {
        lastFailure: JSON.parse(lastFailure) as NonNullable<HostStatus['lastFailure']>,
      }),
    };
  }

  async topDomains({ by, limit }: Required<TopHostsOptions>): Promise<string[]> {
    const key = this.#keys.top(by);
    const range = [key, '+inf', '(0', 'BYSCORE', 'REV', 'LIMIT', 0, limit] as const;
    return (await this.#redis.call('ZRANGE', ...range)) as string[];
  }

  async #isSuspended(domain: string): Promise<boolean> {
    return (await this.#redis.call('SISMEMBER', this.#keys.suspended, domain)) === 1;
  }

  async #fields(key: string): Promise<Partial<Record<string, string>>> {
    return Object.fromEntries(pairsOf(await this.#redis.call('HGETALL', key)));
  }
}

function countsOf(fields: Partial<Record<string, string>>): Counts {
  const counts = noCounts();
  for (const name of Object.keys(counts) as (keyof Counts)[]) counts[name] = Number(fields[name] ?? 0);
  return counts;
}

function standingOf(fields: Partial<Record<string, string>>): Pick<HostStatus, 'active' | 'inFlight' | 'held'> {
  const { active = 0, inFlight = 0, held = 0 } = fields;
  return { active: Number(active), inFlight: Number(inFlight), held: Number(held) };
}
