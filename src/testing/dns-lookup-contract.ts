/**
 * What every DNS look-up must do that answers `mx` plans: the cases of RFC 5321 5.1 and RFC 7505
 * that decide whether mail is sent, waits or is refused. Addresses are of documentation ranges where
 * none may be used, and else public.
 */
import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict';
import type { DnsLookup, MxAnswer } from '../delivery/dns-lookup.js';
import type { ContractCase } from './contract.js';

/** What is known of a name; nothing of the others. `fails`: the server says that it failed (SERVFAIL). */
export interface DnsRecords {
  readonly mx?: readonly (readonly [preference: number, exchange: string])[];
  readonly a?: readonly string[];
  readonly aaaa?: readonly string[];
  readonly fails?: boolean;
}

export interface DnsLookupSetting {
  /** Looks into this setting's zone, remembers nothing that passes, and keeps recipients from addresses that are not public. */
  readonly dns: DnsLookup;
  /** Puts records into the zone, in place of those of the same names. */
  publish(zone: Readonly<Record<string, DnsRecords>>): void | Promise<void>;
  close(): void | Promise<void>;
}

const [ONE, TWO] = ['8.8.4.1', '8.8.4.2'] as const;

function contractCase(
  name: string,
  check: (setting: DnsLookupSetting, ask: (domain: string) => Promise<MxAnswer>) => Promise<void>,
): ContractCase<DnsLookupSetting> {
  return {
    name,
    run: async (setUp) => {
      const setting = await setUp();
      const { signal } = new AbortController();
      try {
        await check(setting, async (domain) => setting.dns.exchanges(domain, { signal, for: 'recipient' }));
      } finally {
        await setting.close();
      }
    },
  };
}

function tiersOf(answer: MxAnswer): readonly (readonly string[])[] {
  ok(!answer.failure, `exchanges were wanted; it failed: ${JSON.stringify(answer.failure)}`);
  return answer.tiers.map((tier) => tier.map(({ name, addresses }) => `${name} ${addresses.join(' ')}`).sort());
}

function rejects(answer: MxAnswer, enhanced: string): void {
  strictEqual(answer.failure?.kind, 'unroutable', `a refusal was wanted, got ${JSON.stringify(answer)}`);
  strictEqual(answer.failure.enhanced, enhanced);
}

function waits(answer: MxAnswer): void {
  ok(answer.failure, `a failure was wanted, got ${JSON.stringify(answer)}`);
  ok(answer.failure.kind !== 'unroutable', `the mail must wait, and was refused: ${JSON.stringify(answer.failure)}`);
}

export const dnsLookupContract: readonly ContractCase<DnsLookupSetting>[] = [
  contractCase('preferences are tiers, and equal ones share one', async (setting, ask) => {
    await setting.publish({
      'x.test': {
        mx: [
          [20, 'c.test'],
          [10, 'a.test'],
          [10, 'b.test'],
        ],
      },
      'a.test': { a: [ONE] },
      'b.test': { aaaa: ['2600::1'] },
      'c.test': { a: [TWO] },
    });
    deepStrictEqual(tiersOf(await ask('x.test')), [[`a.test ${ONE}`, 'b.test 2600::1'], [`c.test ${TWO}`]]);
  }),
  contractCase('without MX the domain is its own exchange', async (setting, ask) => {
    await setting.publish({ 'x.test': { a: [ONE] } });
    deepStrictEqual(tiersOf(await ask('x.test')), [[`x.test ${ONE}`]]);
  }),
  contractCase('a null MX refuses the mail, address or not', async (setting, ask) => {
    await setting.publish({ 'x.test': { mx: [[0, '.']], a: [ONE] } });
    rejects(await ask('x.test'), '5.1.10');
  }),
  contractCase('a null MX among others is passed over', async (setting, ask) => {
    await setting.publish({
      'x.test': {
        mx: [
          [0, '.'],
          [10, 'a.test'],
        ],
      },
      'a.test': { a: [ONE] },
    });
    deepStrictEqual(tiersOf(await ask('x.test')), [[`a.test ${ONE}`]]);
  }),
  contractCase('a domain that does not exist refuses the mail', async (_, ask) => {
    rejects(await ask('gone.test'), '5.1.2');
  }),
  contractCase('neither MX nor address refuses the mail', async (setting, ask) => {
    await setting.publish({ 'x.test': {} });
    rejects(await ask('x.test'), '5.4.4');
  }),
  contractCase('a server that fails keeps the mail waiting, until it answers', async (setting, ask) => {
    await setting.publish({ 'x.test': { fails: true } });
    waits(await ask('x.test'));
    await setting.publish({ 'x.test': { a: [ONE] } });
    deepStrictEqual(tiersOf(await ask('x.test')), [[`x.test ${ONE}`]]);
  }),
  contractCase('an exchange that does not resolve is passed over', async (setting, ask) => {
    await setting.publish({
      'x.test': {
        mx: [
          [1, 'gone.test'],
          [2, 'a.test'],
        ],
      },
      'a.test': { a: [ONE] },
    });
    deepStrictEqual(tiersOf(await ask('x.test')), [[`a.test ${ONE}`]]);
  }),
  contractCase('if no exchange resolves, the mail waits', async (setting, ask) => {
    await setting.publish({ 'x.test': { mx: [[1, 'gone.test']], a: [ONE] } });
    waits(await ask('x.test'));
  }),
  contractCase(
    'an address that is not public is passed over, and refuses the mail if it is all',
    async (setting, ask) => {
      await setting.publish({
        'x.test': {
          mx: [
            [1, 'inner.test'],
            [2, 'a.test'],
          ],
        },
        'y.test': { mx: [[1, 'inner.test']] },
        'inner.test': { a: ['127.0.0.1', '169.254.169.254'] },
        'a.test': { a: [ONE] },
      });
      deepStrictEqual(tiersOf(await ask('x.test')), [[`a.test ${ONE}`]]);
      rejects(await ask('y.test'), '5.4.4');
      const { signal } = new AbortController();
      const free = await setting.dns.exchanges('y.test', { signal, for: 'relay' });
      deepStrictEqual(tiersOf(free), [['inner.test 127.0.0.1 169.254.169.254']]);
    },
  ),
  contractCase('an address literal is its own exchange', async (_, ask) => {
    deepStrictEqual(tiersOf(await ask(`[${ONE}]`)), [[`[${ONE}] ${ONE}`]]);
    deepStrictEqual(tiersOf(await ask('[IPv6:2600::1]')), [['[IPv6:2600::1] 2600::1']]);
    rejects(await ask('[127.0.0.1]'), '5.4.4');
  }),
  contractCase('hundreds of exchanges are cut, and the next preference keeps a share', async (setting, ask) => {
    const names = Array.from({ length: 300 }, (_, i) => `mx${String(i)}.test`);
    await setting.publish({
      'x.test': { mx: names.map((name, i) => [i < 299 ? 10 : 20, name] as const) },
      ...Object.fromEntries(names.map((name, i) => [name, { a: [`9.9.${String(i >> 8)}.${String(i & 255)}`] }])),
    });
    const tiers = tiersOf(await ask('x.test'));
    strictEqual(tiers.length, 2);
    ok(tiers.flat().length <= 100, `a delivery may try ${String(tiers.flat().length)} addresses`);
  }),
];
