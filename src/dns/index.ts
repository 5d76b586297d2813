/**
 * `smtp-routes/dns`: where a domain's mail goes, asked of DNS.
 */
export { dnsLookup } from './dns-lookup.js';
export type { DnsLookupOptions, IpPreference } from './dns-options.js';
