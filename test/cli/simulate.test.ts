import { expect, test } from 'vitest';
import { runCommand } from './run-command.js';

const TABLE = 'example.com [exchange1], [exchange2], [backup]/pri=10\none.test [exchange1]\n';
const simulate = (...args: string[]) => runCommand(['simulate', '-', ...args], { input: TABLE });

test('shares, a way, what waits and until when', async () => {
  const { code, out, err } = await simulate(
    '--down',
    '[exchange1]',
    '--messages',
    '100',
    '--domain',
    'example.com',
    '--domain',
    'one.test',
  );
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).toMatch(/^100 messages for example\.com, one\.test: 50 delivered, 50 queue-for-later$/m);
  expect(out).toMatch(/^ {2}\[exchange2\] +50 +100\.0 % +█{24} +50 +0$/m);
  expect(out).toContain(
    '1. [exchange1]: ECONNREFUSED (connect): next relay, and it is cooled\n  2. [exchange2]: accepted\n  → delivered by [exchange2]',
  );
  expect(out).toMatch(
    /Queued: user@one\.test, 50 messages: ECONNREFUSED \(connect\)\n {2}tried again after (?:\d+ min )?\d+ s, .* \(\d+ in all\)\n {2}in the end, after 3 d: rejected/,
  );
});

test('replies of relays, a relay by its host, other dice, JSON', async () => {
  const asked = ['--reply', 'exchange1=450@rcpt busy', '--reply', 'exchange2=550@rcpt no such user', '--messages', '4'];
  const once = () => simulate(...asked, '--seed', '9', '--json');
  const { out } = await once();
  const run = JSON.parse(out) as { statuses: object; first: { attempts: unknown[] } };
  expect(run.statuses).toMatchObject({ rejected: 4 });
  const again = await once();
  expect(again.out).toBe(out);
});

test('a message in doubt is shown, and one that cannot be routed', async () => {
  const lost = await simulate('--reply', 'exchange2=lost@final-reply', '--domain', 'example.com', '--messages', '4');
  expect(lost.out).toContain(
    ': no other relay is tried, and it is cooled\n  → possibly-delivered: ECONNECTION (final-reply)',
  );
  const bad = await simulate('--domain', 'bad domain', '--messages', '1');
  expect(bad.out).toContain('Rejected: user@bad domain: this is no mail address');
});

test('a mistyped relay', async () => {
  expect(await simulate('--down', 'exchang1')).toMatchObject({
    code: 2,
    err: expect.stringContaining('--down: no relay is called "exchang1"; did you mean "exchange1"?') as string,
  });
});
