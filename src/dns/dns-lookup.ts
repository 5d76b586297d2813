/**
 * Where a domain's mail goes, by RFC 5321 5.1, asked of name servers through `node:dns`.
 */
import { canonicalIP } from '../core/ip-address.js';
import type { Failure } from '../core/failure.js';
import type { DnsLookup, MxAnswer, MxQuestion } from '../delivery/dns-lookup.js';
import { hardError, softError } from './dns-failures.js';
import { resolveDnsOptions, type DnsLookupOptions, type ResolvedDnsOptions } from './dns-options.js';
import { findHosts } from './exchange-hosts.js';
import { aboveOwn, exchangeList, hostName, isNullMx, type PreferenceTier } from './exchange-list.js';
import { aliasOf, hostAddresses, MAX_ALIASES, type HostAddresses } from './host-addresses.js';
import { LookupCache, type Fetched } from './lookup-cache.js';
import { isPublicAddress } from './public-address.js';
import { Queries, type MxRecord } from './queries.js';

/**
 * What `Deliverer` takes as `dns`. Looks up each name once however many ask, and remembers answers;
 * temporary failures are not remembered.
 *
 * @throws {RouteConfigError} for unknown or wrong options
 */
export function dnsLookup(options: DnsLookupOptions = {}): DnsLookup {
  return new NodeDnsLookup(resolveDnsOptions(options));
}

/** The same answer, as those who waited for it get it and as it is remembered. */
interface KeptAnswer {
  readonly fresh: MxAnswer;
  readonly kept: MxAnswer;
}

/** Recipients' domains are anybody's word; hosts that a route names are the app's. */
interface Policy {
  readonly ownNames: readonly string[];
  readonly isAllowed: (address: string) => boolean;
}

class NodeDnsLookup implements DnsLookup {
  readonly #options: ResolvedDnsOptions;
  readonly #queries: Queries;
  readonly #addresses: LookupCache<HostAddresses>;
  readonly #policies: Readonly<Record<MxQuestion['for'], Policy>>;
  readonly #answers: Readonly<Record<MxQuestion['for'], LookupCache<KeptAnswer>>>;

  constructor(options: ResolvedDnsOptions) {
    const { cacheSize: size, clock, allowPrivateAddresses, ownNames } = options;
    this.#options = options;
    this.#queries = new Queries(options);
    this.#addresses = new LookupCache({
      size,
      clock,
      fetch: (name) => hostAddresses(this.#queries, name, options),
    });
    const anyAddress = (): boolean => true;
    this.#policies = {
      recipient: { ownNames, isAllowed: allowPrivateAddresses ? anyAddress : isPublicAddress },
      relay: { ownNames: [], isAllowed: anyAddress },
    };
    const cacheFor = (purpose: MxQuestion['for']): LookupCache<KeptAnswer> =>
      new LookupCache({ size, clock, fetch: (domain) => this.#find(domain, this.#policies[purpose]) });
    this.#answers = { recipient: cacheFor('recipient'), relay: cacheFor('relay') };
  }

  exchanges(domain: string, { signal, for: purpose }: MxQuestion): MxAnswer | Promise<MxAnswer> {
    if (domain.startsWith('[')) return this.#literal(domain, this.#policies[purpose]);
    const name = hostName(domain);
    if (name === undefined) return { failure: hardError('the domain', '5.1.2', 'this is no name') };
    const answers = this.#answers[purpose];
    return answers.kept(name)?.kept ?? unlessAborted(answers.get(name), signal);
  }

  /** `[192.0.2.1]`, `[IPv6:2001:db8::1]` (RFC 5321 4.1.3). */
  #literal(name: string, { isAllowed }: Policy): MxAnswer {
    const address = canonicalIP(name.replace(/^\[(?:ipv6:)?|\]$/gi, ''));
    if (address === undefined) return { failure: hardError('the address literal', '5.1.2', 'this is no address') };
    if (!isAllowed(address)) return { failure: hardError(name, '5.4.4', `${address} is no public address`) };
    return { tiers: [[{ name, addresses: [address] }]] };
  }

  async #find(domain: string, policy: Policy): Promise<Fetched<KeptAnswer>> {
    const { value, ttlMs } = await this.#followAliases(domain, policy);
    const fresh = Object.freeze({ ...value, servers: this.#queries.servers, cached: false });
    return { value: { fresh, kept: Object.freeze({ ...fresh, cached: true }) }, ttlMs };
  }

  /** An alias is taken for the name that it stands for, where the server has not done so. */
  async #followAliases(domain: string, policy: Policy): Promise<Fetched<MxAnswer>> {
    let name = domain;
    for (let aliases = 0; aliases <= MAX_ALIASES; aliases++) {
      const answer = await this.#queries.mx(name);
      if ('trouble' in answer) return passing(softError(domain, answer.trouble, answer.trouble));
      if ('records' in answer) return this.#ofRecords(domain, answer.records, policy);
      if (answer.none === 'name') return this.#final(hardError(domain, '5.1.2', 'NXDomain'));
      const [target, addresses] = await Promise.all([aliasOf(this.#queries, name), this.#addresses.get(name)]);
      if (target === undefined) return this.#ofItself(domain, name, addresses, policy);
      name = target;
    }
    return passing(softError(domain, 'ELOOP', 'its chain of aliases is too long'));
  }

  /** No MX: the domain itself, if it has an address. */
  async #ofItself(domain: string, name: string, addresses: HostAddresses, policy: Policy): Promise<Fetched<MxAnswer>> {
    if (addresses.none === 'name') return this.#final(hardError(domain, '5.1.2', 'NXDomain'));
    if (addresses.none === 'data') return this.#final(hardError(domain, '5.4.4', 'neither MX nor address'));
    return this.#ofTiers(domain, [{ preference: 0, names: [name] }], [], policy);
  }

  async #ofRecords(domain: string, records: readonly MxRecord[], policy: Policy): Promise<Fetched<MxAnswer>> {
    if (isNullMx(records)) return this.#final(hardError(domain, '5.1.10', 'the domain takes no mail (null MX)'));
    const { tiers, unusable } = exchangeList(records);
    const skipped = unusable.slice(0, this.#options.maxHosts).map((name) => ({ name, why: 'this is no host name' }));
    return this.#ofTiers(domain, tiers, skipped, policy);
  }

  async #ofTiers(
    domain: string,
    all: readonly PreferenceTier[],
    unusable: readonly { readonly name: string; readonly why: string }[],
    { ownNames, isAllowed }: Policy,
  ): Promise<Fetched<MxAnswer>> {
    const { maxHosts, ttlMs, maxTtlMs } = this.#options;
    const above = aboveOwn(all, ownNames);
    if (above.length === 0 && all.length > 0) {
      return this.#final(hardError(domain, '5.4.6', 'its best exchange is this sender itself'));
    }
    const addresses = (name: string): Promise<HostAddresses> => this.#addresses.get(name);
    const found = await findHosts(above, { addresses, isAllowed, maxHosts });
    const skipped = [...unusable, ...found.skipped];
    const left = skipped.length > 0 ? { skipped } : {};
    if (found.tiers.length > 0) {
      return { value: { tiers: found.tiers, ...left }, ttlMs: Math.min(found.ttlMs, ttlMs, maxTtlMs) };
    }
    const why = skipped
      .slice(0, 3)
      .map(({ name, why: reason }) => `${name}: ${reason}`)
      .join('; ');
    if (found.trouble !== undefined) return passing(softError(domain, found.trouble, why), left);
    if (found.refused) return this.#final(hardError(domain, '5.4.4', why), left);
    return passing(softError(domain, 'ENOTFOUND', `no exchange has an address (${why})`, '4.4.4'), left);
  }

  #final(failure: Failure, about: Pick<MxAnswer, 'skipped'> = {}): Fetched<MxAnswer> {
    return { value: { failure, ...about }, ttlMs: this.#options.negativeTtlMs };
  }
}

/** Not remembered: the next delivery may find it mended. */
function passing(failure: Failure, about: Pick<MxAnswer, 'skipped'> = {}): Fetched<MxAnswer> {
  return { value: { failure, ...about }, ttlMs: 0 };
}

/** One who gives up stops waiting; the look-up goes on for the others, and for the cache. */
function unlessAborted(answer: Promise<KeptAnswer>, signal: AbortSignal): Promise<MxAnswer> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });
    void answer.then(({ fresh }) => {
      signal.removeEventListener('abort', onAbort);
      resolve(fresh);
    });
  });
}
