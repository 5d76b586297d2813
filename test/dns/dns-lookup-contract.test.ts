import { describe, test } from 'vitest';
import { dnsLookup } from 'smtp-routes/dns';
import { dnsLookupContract, type DnsRecords } from 'smtp-routes/testing';
import { DnsServer, type Entry } from './dns-server.js';
import { hasNsd, Nsd } from './nsd.js';

const lookIn = (address: string): ReturnType<typeof dnsLookup> =>
  dnsLookup({ servers: [address], timeoutMs: 500, tries: 1 });

describe('dnsLookup, over a server of ours', () => {
  for (const each of dnsLookupContract) {
    test(each.name, async () => {
      await each.run(async () => {
        const server = await DnsServer.start();
        return {
          dns: lookIn(server.address),
          publish: (zone) =>
            server.add(Object.fromEntries(Object.entries(zone).map(([of, records]) => [of, entry(records)]))),
          close: () => server.close(),
        };
      });
    });
  }
});

function entry({ fails, ...records }: DnsRecords): Entry {
  return fails ? { fails: 'SERVFAIL' } : records;
}

describe.skipIf(!hasNsd)(
  `dnsLookup, over nsd${hasNsd ? '' : ' (skipped: nsd is not installed, Debian package nsd)'}`,
  () => {
    for (const each of dnsLookupContract) {
      test(each.name, async () => {
        await each.run(async () => {
          const nsd = await Nsd.start();
          return { dns: lookIn(nsd.address), publish: (zone) => nsd.publish(zone), close: () => nsd.close() };
        });
      });
    }
  },
);
