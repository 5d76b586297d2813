/**
 * Records in Redis, as commands that are carried out together: the record itself, the index, the
 * numbers.
 */
import { noCounts } from '../domain-tally.js';
import type { Arrival, Change } from '../engine/engine.js';
import { holderOf, keyOf, retryAt, type Alarm, type DomainChange, type MailRecord } from '../engine/mail-record.js';
import type { Command } from './redis.js';
import type { RedisKeys } from './redis-keys.js';

export class RedisRecords {
  readonly #keys: RedisKeys;

  constructor(keys: RedisKeys) {
    this.#keys = keys;
  }

  add(seq: number, { record, alarm, inline, changes }: Arrival): Command[] {
    const { ids, bodies } = this.#keys;
    return [
      ['HSET', ids, record.message.id, seq],
      ['HSET', this.#keys.record(seq), 'version', 0, 'data', JSON.stringify(record), ...alarmFields(alarm)],
      ...(inline ? [['HSET', this.#keys.record(seq), 'inline', inline]] : []),
      ...(record.body === undefined ? [] : [['HSET', bodies, record.body, seq]]),
      ...this.#due(seq, undefined, record, alarm),
      ...this.#index(seq, undefined, record),
      ...this.count(changes),
    ];
  }

  change({ before: { seq }, from, to, next, alarm, changes, now }: Change): Command[] {
    const key = this.#keys.record(seq);
    const { ids, ended, bodies } = this.#keys;
    const record: Command[] = to
      ? [
          ['HDEL', key, 'alarmAt', 'lane'],
          ['HSET', key, 'version', next, 'data', JSON.stringify(to), ...alarmFields(alarm)],
        ]
      : [
          ['DEL', key],
          ['HDEL', ids, from.message.id],
          ...(from.body === undefined ? [] : [['HDEL', bodies, from.body]]),
          ...(from.named ? [['ZADD', ended, now, from.message.id]] : []),
        ];
    return [...record, ...this.#due(seq, from, to, to && alarm), ...this.#index(seq, from, to), ...this.count(changes)];
  }

  postpone(seq: number, alarm: Alarm | undefined): Command[] {
    const key = this.#keys.record(seq);
    const { alarms } = this.#keys;
    return [
      ['HINCRBY', key, 'version', 1],
      ['HDEL', key, 'alarmAt', 'lane'],
      ...(alarm
        ? [
            ['HSET', key, ...alarmFields(alarm)],
            ['ZADD', alarms, alarm.at, seq],
          ]
        : [['ZREM', alarms, seq]]),
    ];
  }

  /** Where the time of the message's job, and who has it, are found. */
  #due(seq: number, from: MailRecord | undefined, to: MailRecord | undefined, alarm: Alarm | undefined): Command[] {
    const { alarms, leases, holders } = this.#keys;
    const before = from && holderOf(from);
    const holder = to && holderOf(to);
    const commands: Command[] = [];
    const is = holder === undefined ? alarms : leases;
    const other = holder === undefined ? leases : alarms;
    if (from) commands.push(['ZREM', other, seq]);
    if (alarm) commands.push(['ZADD', is, alarm.at, seq]);
    else commands.push(['ZREM', is, seq]);
    if (before !== undefined && before !== holder) commands.push(['SREM', this.#keys.heldBy(before), seq]);
    if (holder !== undefined && before !== holder) {
      commands.push(['SADD', holders, holder], ['SADD', this.#keys.heldBy(holder), seq]);
    }
    return commands;
  }

  #index(seq: number, from: MailRecord | undefined, to: MailRecord | undefined): Command[] {
    const commands: Command[] = [];
    const before = new Map(from?.entries.map((one) => [one.n, one]));
    for (const one of to?.entries ?? []) {
      const { n, entry } = one;
      const key = keyOf(seq, n);
      const old = before.get(n);
      before.delete(n);
      if (!old) {
        commands.push(['ZADD', this.#keys.entries(), key, key], ['ZADD', this.#keys.entries(entry.domain), key, key]);
      }
      const at = retryAt(one);
      if (at === (old && retryAt(old))) continue;
      const retries = this.#keys.retries(entry.domain);
      commands.push(at === undefined ? ['ZREM', retries, key] : ['ZADD', retries, at, key]);
    }
    for (const { n, entry } of before.values()) {
      const key = keyOf(seq, n);
      const sets = [this.#keys.entries(), this.#keys.entries(entry.domain), this.#keys.retries(entry.domain)];
      for (const set of sets) commands.push(['ZREM', set, key]);
    }
    return commands;
  }

  count(changes: readonly DomainChange[]): Command[] {
    return changes.flatMap(({ domain, active, inFlight, held, counts = noCounts(), attempt }): Command[] => {
      const sums = { active, inFlight, held, ...counts };
      const hard = counts.dns + counts.refused + counts.expired + counts.other;
      const tops = {
        active,
        inFlight,
        delivered: counts.delivered,
        softBounces: counts.softBounces,
        hardBounces: hard,
      };
      const key = this.#keys.counts(domain);
      const seen: Command[] = attempt
        ? [
            ['HSET', key, 'state', attempt.state, 'lastAttemptAt', attempt.at],
            ...(attempt.failure ? [['HSET', key, 'lastFailure', JSON.stringify(attempt.failure)]] : []),
          ]
        : [];
      return [
        ...changed(sums).flatMap(([name, by]): Command[] => [
          ['HINCRBY', key, name, by],
          ['HINCRBY', this.#keys.total, name, by],
        ]),
        ...changed(tops).map(([name, by]): Command => ['ZINCRBY', this.#keys.top(name), by, domain]),
        ...seen,
      ];
    });
  }
}

function changed(sums: object): [string, number][] {
  return (Object.entries(sums) as [string, number][]).filter(([, by]) => by !== 0);
}

function alarmFields(alarm: Alarm | undefined): (string | number)[] {
  return alarm ? ['alarmAt', alarm.at, 'lane', alarm.lane] : [];
}
