/**
 * BullMQ as an engine of the queue: records in Redis, changed by one script, and their jobs in
 * BullMQ, set after them.
 */
import type { HostStatus, QueueCounters, TopHostsOptions } from '../delivery-queue.js';
import { domainTimes } from '../engine/domain-times.js';
import type { Arrival, Change, Engine, Page, RecordState, StoredRecord, Suspended } from '../engine/engine.js';
import { keyOf, placeOf, type Alarm, type Lane } from '../engine/mail-record.js';
import { REMEMBER_MS } from '../message-id.js';
import type { BullmqJobs } from './bullmq-jobs.js';
import { pairsOf, readFields, type RedisClient } from './redis.js';
import { RedisCommits } from './redis-commits.js';
import { RedisDomains } from './redis-domains.js';
import type { RedisKeys } from './redis-keys.js';
import { RedisRecords } from './redis-records.js';

/** A job this late is looked for, whether it is still there. */
const LATE_MS = 10_000;
const LATE_AT_ONCE = 100;

export class BullmqEngine implements Engine {
  readonly #redis: RedisClient;
  readonly #keys: RedisKeys;
  readonly #jobs: BullmqJobs;
  readonly #records: RedisRecords;
  readonly #commits: RedisCommits;
  readonly #domains: RedisDomains;

  constructor(redis: RedisClient, keys: RedisKeys, jobs: BullmqJobs) {
    this.#redis = redis;
    this.#keys = keys;
    this.#jobs = jobs;
    this.#records = new RedisRecords(keys);
    this.#commits = new RedisCommits(redis, keys, this.#records, jobs);
    this.#domains = new RedisDomains(redis, keys);
  }

  async add(arrival: Arrival): Promise<number | undefined> {
    const seq = await this.#commits.add(arrival);
    if (seq === undefined) await this.#ensureJob(arrival.record.message.id);
    return seq;
  }

  /** Who stored the message may have died before its job was there; then nobody was told that it is stored. */
  async #ensureJob(id: string): Promise<void> {
    const seq = (await this.#redis.call('HGET', this.#keys.ids, id)) as string | null;
    const [stored] = seq === null ? [] : await this.read([Number(seq)]);
    if (!stored?.alarm || (await this.#jobs.isThere(stored.seq, stored.alarm.lane))) return;
    await this.#jobs.set(stored.seq, undefined, stored.alarm);
  }

  async fetch(lane: Lane, limit: number): Promise<StoredRecord[]> {
    const seqs = await this.#jobs.fetch(lane, limit);
    const records = await this.#read(seqs, ['inline']);
    const found = new Set(records.map(({ seq }) => seq));
    for (const seq of seqs) if (!found.has(seq)) await this.#jobs.drop(seq);
    return records;
  }

  async commit(change: Change): Promise<boolean> {
    const { before, to, alarm, job, mail, next } = change;
    const guard = { key: this.#keys.record(before.seq), version: before.version, next };
    if (!(await this.#commits.change(guard, this.#records.change(change), mail))) return false;
    if (job === 'set' || !to) await this.#jobs.set(before.seq, before.alarm, to ? alarm : undefined);
    return true;
  }

  async postpone({ seq, version, alarm: before }: RecordState, alarm: Alarm | undefined): Promise<void> {
    const guard = { key: this.#keys.record(seq), version, next: version + 1 };
    if (await this.#commits.change(guard, this.#records.postpone(seq, alarm))) await this.#jobs.set(seq, before, alarm);
  }

  read(seqs: readonly number[]): Promise<StoredRecord[]> {
    return this.#read(seqs);
  }

  async #read(seqs: readonly number[], more: readonly 'inline'[] = []): Promise<StoredRecord[]> {
    const keys = seqs.map((seq) => this.#keys.record(seq));
    const found = await readFields(this.#redis, keys, ['version', 'data', 'alarmAt', 'lane', ...more]);
    return found.flatMap(([version, data, at, lane, inline], i): StoredRecord[] => {
      const seq = seqs[i];
      if (seq === undefined || !version || !data) return [];
      const alarm = at && { alarm: { at: Number(at), lane: lane?.toString() === 'new' ? 'new' : 'retry' } as const };
      return [{ seq, version: Number(version), data: data.toString(), ...alarm, ...(inline && { inline }) }];
    });
  }

  async inline(seqs: readonly number[]): Promise<ReadonlyMap<number, Uint8Array>> {
    const keys = seqs.map((seq) => this.#keys.record(seq));
    const found = await readFields(this.#redis, keys, ['inline']);
    return new Map(seqs.flatMap((seq, i) => (found[i]?.[0] ? [[seq, found[i][0]]] : [])));
  }

  async keys({ after, limit, id, domain }: Page): Promise<number[]> {
    if (id !== undefined) {
      const seq = (await this.#redis.call('HGET', this.#keys.ids, id)) as string | null;
      if (seq === null) return [];
      const from = Math.max(after + 1, keyOf(Number(seq), 0));
      return await this.#range(this.#keys.entries(), from, keyOf(Number(seq) + 1, 0) - 1, limit);
    }
    return await this.#range(this.#keys.entries(domain), after + 1, '+inf', limit);
  }

  async #range(key: string, from: number, to: number | '+inf', limit: number): Promise<number[]> {
    const found = await this.#redis.call('ZRANGE', key, from, to, 'BYSCORE', 'LIMIT', 0, limit);
    return (found as string[]).map(Number);
  }

  async newest(): Promise<number> {
    const [key] = (await this.#redis.call('ZRANGE', this.#keys.entries(), 0, 0, 'REV')) as string[];
    return Number(key ?? 0);
  }

  async retriesAt(domains: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const found = await Promise.all(
      domains.map(async (domain): Promise<[string, number][]> => {
        const [first] = await this.waiting(domain, 1);
        return first ? [[domain, first.dueAt]] : [];
      }),
    );
    return new Map(found.flat());
  }

  async waiting(domain: string, limit: number): Promise<{ readonly seq: number; readonly dueAt: number }[]> {
    const key = this.#keys.retries(domain);
    const found = await this.#redis.call('ZRANGE', key, 0, limit - 1, 'WITHSCORES');
    return pairsOf(found).map(([member, at]) => ({ seq: placeOf(Number(member)).seq, dueAt: Number(at) }));
  }

  takeWake(domain: string): Promise<number> {
    return this.#domains.takeWake(domain);
  }

  resetWake(domain: string): Promise<void> {
    return this.#domains.resetWake(domain);
  }

  async nextAlarmAt(): Promise<number | undefined> {
    const [first] = pairsOf(await this.#redis.call('ZRANGE', this.#keys.alarms, 0, 0, 'WITHSCORES'));
    return first && Number(first[1]);
  }

  async holders(): Promise<string[]> {
    return (await this.#redis.call('SMEMBERS', this.#keys.holders)) as string[];
  }

  async heldBy(holder: string, limit: number): Promise<number[]> {
    return ((await this.#redis.call('SRANDMEMBER', this.#keys.heldBy(holder), limit)) as string[]).map(Number);
  }

  async forgetHolder(holder: string): Promise<void> {
    await this.#redis.call('SREM', this.#keys.holders, holder);
  }

  suspended(): Promise<Suspended> {
    return this.#domains.suspended();
  }

  suspend(domain: string | undefined, suspended: boolean): Promise<boolean> {
    return this.#domains.suspend(domain, suspended);
  }

  async hostStatus(domain: string): Promise<HostStatus> {
    const status = await this.#domains.status(domain);
    return { ...status, ...(await domainTimes(this, domain)) };
  }

  async topHosts(options: Required<TopHostsOptions>): Promise<HostStatus[]> {
    const domains = await this.#domains.topDomains(options);
    return await Promise.all(domains.map((domain) => this.hostStatus(domain)));
  }

  counters(): Promise<QueueCounters> {
    return this.#domains.counters();
  }

  async ownsBody(key: string): Promise<boolean> {
    return (await this.#redis.call('HEXISTS', this.#keys.bodies, key)) === 1;
  }

  async mend(now: number): Promise<void> {
    const { ended, alarms, leases } = this.#keys;
    await this.#redis.call('ZREMRANGEBYSCORE', ended, '-inf', now - REMEMBER_MS);
    for (const set of [alarms, leases]) {
      const late = (await this.#redis.call(
        'ZRANGE',
        set,
        '-inf',
        now - LATE_MS,
        'BYSCORE',
        'LIMIT',
        0,
        LATE_AT_ONCE,
      )) as string[];
      for (const { seq, alarm } of await this.read(late.map(Number))) {
        if (alarm && !(await this.#jobs.isThere(seq, alarm.lane))) await this.#jobs.set(seq, undefined, alarm);
      }
    }
  }

  async close(): Promise<void> {
    await this.#commits.settled();
    await this.#jobs.close();
  }
}
