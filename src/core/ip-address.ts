/**
 * The one spelling of an IP address that is compared. An address is checked before anything
 * converts it: resolvers and URL parsers read `010.0.0.1`, `1.2` or `0x7f.1` as addresses that
 * nobody wrote.
 */
import { urlHostname } from './url-hostname.js';

const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);

/** Four decimal octets without leading zeros (RFC 5321 4.1.3), else undefined. */
export function canonicalIPv4(text: string): string | undefined {
  return IPV4.test(text) ? text : undefined;
}

/** An IPv6 address without brackets or zone, as lower-case compressed hex (RFC 5952 4), else undefined. */
export function canonicalIPv6(text: string): string | undefined {
  // Nothing but these characters may reach URL, which would drop or decode others.
  if (!/^[0-9a-f:.]{2,45}$/i.test(text)) return undefined;
  return urlHostname(`http://[${text}]/`)?.slice(1, -1);
}

/** The canonical form of either kind, else undefined. */
export function canonicalIP(text: string): string | undefined {
  return canonicalIPv4(text) ?? canonicalIPv6(text);
}
