/**
 * The port through which `mx` plans are answered. Without an implementation, mail for a domain
 * that needs DNS is queued for later: it is never bounced for a gap in the configuration.
 */
import type { Failure } from '../core/failure.js';

/** Exchanges by preference, the first tier first; equal preferences share a tier. */
export type MxAnswer = { readonly tiers: readonly (readonly string[])[] } | { readonly failure: Failure };

/** Looks up where a domain's mail goes (RFC 5321 5.1). Resolves for any answer of DNS; the failure says which. */
export interface DnsLookup {
  exchanges(domain: string, options: { readonly signal: AbortSignal }): Promise<MxAnswer>;
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
