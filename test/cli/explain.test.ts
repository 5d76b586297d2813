import { expect, test } from 'vitest';
import { runCommand, type RunOptions } from './run-command.js';

const TABLE = `example.com a.example.net, [b.example.net]:2525/pri=10
.example.com USEDNS
spam.test /dev/null
`;

const explain = (args: readonly string[], options: RunOptions = {}) =>
  runCommand(['explain', '-', ...args], { input: TABLE, ...options });

test('the rules, the winner, the relays and the DNS', async () => {
  expect(await explain(['user@example.com'])).toEqual({
    code: 0,
    err: '',
    out: `user@example.com
  example.com has a route of its own: the mail goes to its relays.

  Rules considered, the most specific first:
  →  example.com  relay
     .com         no rule
     ALL          no rule

  Relays, in order:
    priority  relay                 at
    0         a.example.net         a.example.net:25    by MX
    10        [b.example.net]:2525  b.example.net:2525

  DNS that would be asked:
    MX of a.example.net, then addresses of the exchanges, or of a.example.net if it has none
    addresses of b.example.net
`,
  });
});

test('--dns asks, and shows answers and failures', async () => {
  const asked: string[] = [];
  const { out } = await explain(['--dns', 'x.example.com', 'example.com', 'gone.test'], {
    dns: {
      exchanges: (domain) => {
        asked.push(domain);
        return Promise.resolve(
          domain === 'gone.test'
            ? { failure: { kind: 'unroutable', message: 'the domain does not exist' } }
            : {
                tiers: [
                  [
                    { name: 'mx1.test', addresses: ['192.0.2.1', '192.0.2.2'] },
                    { name: 'mx2.test', addresses: ['192.0.2.3'] },
                  ],
                  [{ name: 'mx3.test', addresses: ['2001:db8::1'] }],
                ],
              },
        );
      },
    },
  });
  expect(asked).toEqual(['x.example.com', 'a.example.net', 'gone.test']);
  expect(out).toContain(
    'MX of x.example.com: mx1.test (192.0.2.1, 192.0.2.2) | mx2.test (192.0.2.3) > mx3.test (2001:db8::1)',
  );
  expect(out).toContain('MX of gone.test: the domain does not exist');
});

test.each([
  '',
  ' ',
  'a b@example.com',
  'a@',
  '@example.com',
  'x@y@',
  'a@exa_mple..com',
  'user@example.com\u001b[31m',
  'a\nb@example.com',
  'x'.repeat(5000),
])('what is no address: %j', async (address) => {
  const { code, out } = await explain([address]);
  expect(code).toBe(1);
  expect(out).toContain('Rejected: ');
  expect(out).not.toContain('\u001b');
});

test('JSON', async () => {
  const { out } = await explain(['--json', 'a@spam.test', 'MÜNCHEN.example']);
  expect(JSON.parse(out)).toMatchObject([
    { plan: { action: 'discard' } },
    { domain: 'xn--mnchen-3ya.example', plan: { action: 'mx' } },
  ]);
});
