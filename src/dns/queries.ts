/**
 * The questions that are put to name servers, and the three kinds of answer that matter: records,
 * none, or trouble that may pass. Names are checked before they get here.
 *
 * Node's resolver goes on to the next server, and tries again, only where no answer comes. A server
 * that answers that it failed has the last word there (measured on Node 20 to 24), so that case is
 * tried again here, with another server first.
 */
import { Resolver } from 'node:dns/promises';
import createDebug from 'debug';
import pRetry from 'p-retry';
import { errorMessage } from '../core/error-message.js';
import { printable } from '../core/reply.js';
import { Slots } from './slots.js';

const debug = createDebug('smtp-routes:dns');

/**
 * `none`: the name does not exist, or has no such record. `trouble`: no answer that can be relied
 * on, with its code. `ttlMs` where DNS tells it.
 */
export type Answer<T> = Found<T> | { readonly none: 'name' | 'data' } | { readonly trouble: string };

export interface Found<T> {
  readonly records: readonly T[];
  readonly ttlMs?: number;
}

export interface MxRecord {
  readonly exchange: string;
  readonly priority: number;
}

export interface QueriesOptions {
  readonly servers?: readonly string[] | undefined;
  readonly timeoutMs: number;
  readonly tries: number;
  readonly maxQueries: number;
}

/** Answers that say nothing of the name: another server, or the same a moment later, may do better. */
const WORTH_ANOTHER_TRY: ReadonlySet<string> = new Set(['ESERVFAIL', 'EREFUSED', 'ENOTIMP', 'EFORMERR', 'EBADRESP']);
const RETRY_AFTER_MS = 100;

export class Queries {
  /** One for each server, which it asks first. */
  readonly #resolvers: readonly Resolver[];
  readonly #slots: Slots;
  readonly #tries: number;
  /** Who is asked. */
  readonly servers: readonly string[];

  constructor({ servers, timeoutMs, tries, maxQueries }: QueriesOptions) {
    const all = servers ?? new Resolver().getServers();
    this.#resolvers = all.map((_, first) => {
      const resolver = new Resolver({ timeout: timeoutMs, tries });
      resolver.setServers([...all.slice(first), ...all.slice(0, first)]);
      return resolver;
    });
    this.servers = Object.freeze([...all]);
    this.#slots = new Slots(maxQueries);
    this.#tries = tries;
  }

  mx(name: string): Promise<Answer<MxRecord>> {
    return this.#ask('MX', name, async (resolver) => ({ records: await resolver.resolveMx(name) }));
  }

  /** The addresses of one family. */
  async addresses(name: string, family: 4 | 6): Promise<Answer<string>> {
    const options = { ttl: true } as const;
    return this.#ask(family === 4 ? 'A' : 'AAAA', name, async (resolver) => {
      const records = await (family === 4 ? resolver.resolve4(name, options) : resolver.resolve6(name, options));
      const ttls = records.map(({ ttl }) => ttl);
      return { records: records.map(({ address }) => address), ttlMs: Math.min(...ttls) * 1000 };
    });
  }

  /** What the name is another name of. */
  alias(name: string): Promise<Answer<string>> {
    return this.#ask('CNAME', name, async (resolver) => ({ records: await resolver.resolveCname(name) }));
  }

  async #ask<T>(type: string, name: string, ask: Ask<T>): Promise<Answer<T>> {
    const once = async (attempt: number): Promise<Answer<T>> => {
      const resolver = this.#resolvers[(attempt - 1) % this.#resolvers.length];
      if (!resolver) return { trouble: 'ENOSERVER' };
      return this.#slots.run(async () => ask(resolver).then(orNone, withoutRecords));
    };
    let answer: Answer<T> = { trouble: 'ECANCELLED' };
    await pRetry(
      async (attempt) => {
        answer = await once(attempt);
        if (debug.enabled) debug('%s %s: %s', type, name, described(answer));
        if ('trouble' in answer && WORTH_ANOTHER_TRY.has(answer.trouble)) throw new Error(answer.trouble);
      },
      { retries: this.#tries - 1, minTimeout: RETRY_AFTER_MS },
    ).catch(() => undefined);
    return answer;
  }
}

type Ask<T> = (resolver: Resolver) => Promise<Found<T>>;

function orNone<T>(found: Found<T>): Answer<T> {
  return found.records.length > 0 ? found : { none: 'data' };
}

function withoutRecords(error: unknown): { readonly none: 'name' | 'data' } | { readonly trouble: string } {
  const { code } = error as { code?: unknown };
  if (code === 'ENOTFOUND') return { none: 'name' };
  if (code === 'ENODATA') return { none: 'data' };
  return { trouble: typeof code === 'string' ? code : errorMessage(error) };
}

function described(answer: Answer<unknown>): string {
  if ('none' in answer) return answer.none === 'name' ? 'no such name' : 'no such record';
  if ('trouble' in answer) return answer.trouble;
  return `${String(answer.records.length)} records, the first ${printable(JSON.stringify(answer.records[0]))}`;
}
