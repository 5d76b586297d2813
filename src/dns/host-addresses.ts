/**
 * All addresses of a host, in the order to try them.
 */
import { canonicalIP } from '../core/ip-address.js';
import type { IpPreference } from './dns-options.js';
import { hostName } from './exchange-list.js';
import type { Fetched } from './lookup-cache.js';
import type { Answer, Queries } from './queries.js';

/** `trouble`: an answer is missing, so there may be more. */
export interface HostAddresses {
  /** Of the preferred family first. */
  readonly families: readonly (readonly string[])[];
  readonly trouble?: string;
  /** Nothing was found: the name does not exist, or has no address. */
  readonly none?: 'name' | 'data';
  readonly ttlMs: number;
}

export interface AddressOptions {
  readonly ipPreference: IpPreference;
  readonly ttlMs: number;
  readonly maxTtlMs: number;
  readonly negativeTtlMs: number;
}

const FAMILIES: Readonly<Record<IpPreference, readonly (4 | 6)[]>> = {
  'prefer-v4': [4, 6],
  'prefer-v6': [6, 4],
  'require-v4': [4],
  'require-v6': [6],
};

/** Of one family. A longer list is no honest one, and more than any delivery would try. */
const MAX_ADDRESSES = 100;

/** A chain of aliases longer than this is no honest one. */
export const MAX_ALIASES = 8;

/**
 * Addresses are followed through aliases by the servers that resolve; where one answers with the
 * alias alone, by us.
 */
export async function hostAddresses(
  queries: Queries,
  name: string,
  options: AddressOptions,
): Promise<Fetched<HostAddresses>> {
  let found = await addressesOf(queries, name, options);
  let at = name;
  for (let aliases = 0; found.none === 'data' && aliases < MAX_ALIASES; aliases++) {
    const target = await aliasOf(queries, at);
    if (target === undefined) break;
    at = target;
    found = await addressesOf(queries, at, options);
  }
  return { value: found, ttlMs: found.ttlMs };
}

/** The name that this one is an alias of, if it is. */
export async function aliasOf(queries: Queries, name: string): Promise<string | undefined> {
  const answer = await queries.alias(name);
  const target = 'records' in answer ? answer.records[0] : undefined;
  return target === undefined ? undefined : hostName(target);
}

async function addressesOf(queries: Queries, name: string, options: AddressOptions): Promise<HostAddresses> {
  const answers = await Promise.all(FAMILIES[options.ipPreference].map((family) => queries.addresses(name, family)));
  const families = answers.map(recordsOf);
  const trouble = answers.find((answer) => 'trouble' in answer)?.trouble;
  if (families.some((addresses) => addresses.length > 0)) {
    const ttls = answers.flatMap((answer) => ('records' in answer ? (answer.ttlMs ?? options.ttlMs) : []));
    const ttlMs = Math.min(...ttls, trouble === undefined ? options.maxTtlMs : options.negativeTtlMs);
    return { families, ...(trouble !== undefined && { trouble }), ttlMs };
  }
  if (trouble !== undefined) return { families, trouble, ttlMs: 0 };
  const isNoName = answers.every((answer) => 'none' in answer && answer.none === 'name');
  return { families, none: isNoName ? 'name' : 'data', ttlMs: options.negativeTtlMs };
}

function recordsOf(answer: Answer<string>): string[] {
  const records = 'records' in answer ? answer.records : [];
  return [...new Set(records.slice(0, MAX_ADDRESSES).flatMap((address) => canonicalIP(address) ?? []))];
}
