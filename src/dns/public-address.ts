/**
 * Which addresses belong to the public Internet. Anybody can publish an MX record, so what it leads
 * to must not be this machine, its network, or the metadata service of its cloud.
 *
 * IPv4: all but what IANA's registry of special-purpose addresses (RFC 6890) keeps from global
 * reach. IPv6: global unicast alone (2000::/3) but for its special parts, and the addresses that
 * stand for an IPv4 address, 6to4 (RFC 3056) and NAT64 (RFC 6052), where that one is public.
 * IPv4-mapped addresses have no place in DNS.
 */
import { BlockList, isIPv4 } from 'node:net';

const NOT_PUBLIC_V4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];

const PUBLIC_V6: readonly (readonly [string, number])[] = [
  ['2000::', 3],
  ['64:ff9b::', 96],
];

const NOT_PUBLIC_V6: readonly (readonly [string, number])[] = [
  // IETF protocol assignments, Teredo, benchmarking, ORCHID
  ['2001::', 23],
  ['2001:db8::', 32],
  ['3fff::', 20],
];

const publicV6 = blockList('ipv6', PUBLIC_V6);
const notPublicV4 = blockList('ipv4', NOT_PUBLIC_V4);
const notPublicV6 = blockList('ipv6', [
  ...NOT_PUBLIC_V6,
  ...NOT_PUBLIC_V4.flatMap(([address, prefix]): [string, number][] => [
    [`2002:${hexadecimal(address)}::`, 16 + prefix],
    [`64:ff9b::${hexadecimal(address)}`, 96 + prefix],
  ]),
]);

/** @param address in canonical form */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !notPublicV4.check(address, 'ipv4');
  return publicV6.check(address, 'ipv6') && !notPublicV6.check(address, 'ipv6');
}

function blockList(family: 'ipv4' | 'ipv6', subnets: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList();
  for (const [address, prefix] of subnets) list.addSubnet(address, prefix, family);
  return list;
}

/** `a00:1` for 10.0.0.1. */
function hexadecimal(address: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}
