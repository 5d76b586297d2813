/**
 * The port through which `mx` plans are answered. Without an implementation, mail for a domain
 * that needs DNS is queued for later: it is never bounced for a gap in the configuration.
 */
import type { Failure } from '../core/failure.js';
import type { Lookup } from '../core/outcome.js';

/** A host that takes mail, and its addresses in the order to try them. */
export interface MxExchange {
  readonly name: string;
  readonly addresses: readonly string[];
}

/** Exchanges by preference, the first tier first; equal preferences share a tier. A frozen answer is read once. */
export type MxAnswer = Pick<Lookup, 'servers' | 'cached' | 'skipped'> &
  (
    { readonly tiers: readonly (readonly MxExchange[])[]; readonly failure?: undefined } | { readonly failure: Failure }
  );

export interface MxQuestion {
  /** Whoever asks gives up. */
  readonly signal: AbortSignal;
  /**
   * `recipient`: the domain of an address, which anybody may have made up. `relay`: a host that a
   * route names, which is trusted.
   */
  readonly for: 'recipient' | 'relay';
}

/**
 * Looks up where a domain's mail goes (RFC 5321 5.1): its exchanges with their addresses, or itself.
 * `domain` may be an address literal, which is not looked up. Resolves for any answer of DNS: a failure
 * `unroutable` rejects the mail, any other queues it for later. At once, without a promise, from memory.
 */
export interface DnsLookup {
  exchanges(domain: string, question: MxQuestion): MxAnswer | Promise<MxAnswer>;
}

/** What delivering to an `mx` plan gives when the deliverer was built without `dns`. */
export function noDnsFailure(domain: string): Failure {
  return {
    kind: 'lost',
    phase: 'connect',
    code: 'ENODNS',
    enhanced: '4.4.3',
    message: `no route for ${domain} names a relay, and this deliverer was given no dns to look up its exchanges`,
  };
}
