/**
 * Every example runs, and shows what it is there to show.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root, runTypeScript } from './run-typescript.js';

const SHOWS: Readonly<Record<string, readonly (string | RegExp)[]>> = {
  'bucket-messages.ts': [
    'put and opened again: 400000 bytes',
    'in the bucket: invoices',
    'after its message has ended: 0',
  ],
  // Without a server it says what it needs.
  'cluster.ts': [
    /This needs redis-server|worker 2 is killed; worker 4 takes its place/,
    /This needs redis-server|worker 1 delivered \d+\nworker 2 delivered \d+\nworker 3 delivered \d+\nworker 4 delivered \d+\n300 of 300 messages arrived/,
  ],
  'direct-to-mx.ts': [
    'Would look up: MX of example.com',
    'DNS says of example.com: mx1.example.com [127.0.0.3], mx2.example.com [127.0.0.2]',
    'DNS says of nomail.example: 5.1.10 unroutable',
    'Attempt at mx1.example.com [127.0.0.3]: ECONNREFUSED',
    'Attempt at mx2.example.com [127.0.0.2]: accepted',
    'user@example.com: delivered',
    'user@nomail.example: rejected',
    'user@missing.example: rejected',
  ],
  'technote.ts': [
    /Connection Error: DCID \d+ domain: example\.com IP: 127\.0\.0\.1 port: \d+ details: 431-exchange1\.example\.com ESMTP\\nMail system full' interface: 127\.0\.0\.1 reason: unexpected SMTP response/,
    /New SMTP DCID \d+ interface 127\.0\.0\.1 address 127\.0\.0\.1 port \d+/,
    /Delivery start DCID (\d+) MID 1 to RID \[0\].*Message done DCID \1 .*DCID \1 close/s,
    'user@example.com: delivered by exchange2',
    'exchange1: down',
    'Messages that arrived at the second server: 1',
  ],
  'testing/node.test.ts': [/(?:#|ℹ) pass 3\n/, /(?:#|ℹ) fail 0\n/],
  // Without a driver it says what it needs.
  'queue-and-restart.ts': [
    /This needs Node 22\.13|invoice-1: queue-for-later.*ended by SIGKILL.*invoice-3: user@example\.com waits for retry 1/s,
    /This needs Node 22\.13|Messages that arrived after the restart: 3\nLeft in the queue: 0/,
  ],
  'before-and-after.ts': [/^not sent: .*452/m, 'sent: 250 2.0.0 queued', 'messages at the spare server: 1'],
  'two-providers.ts': [/^6 2 0\n6 2 2$/m],
  'per-domain-relays.ts': [
    'a@acme.example: delivered by acme',
    'b@eu.acme.example: delivered by acme',
    'c@example.com: delivered by smarthost',
    'd@test.invalid: discarded',
    'acme got one copy for a@acme.example and b@eu.acme.example',
  ],
  'ses-beside-smtp.ts': [/delivered by ses\ndelivered by smtp/],
  'test-your-routes.ts': [/^# pass 3$|^ℹ pass 3$/m],
};

/** vitest runs the one for vitest itself; the one for Jest, which is not installed here, runs with the tarball: test/package. */
const RUN_ELSEWHERE = ['testing/vitest.test.ts', 'testing/jest.test.cjs', 'testing/routes.ts'];

const examples = readdirSync(join(root, 'examples'), { recursive: true, encoding: 'utf8' })
  .map((name) => name.replaceAll('\\', '/'))
  .filter((name) => /\.[cm]?[jt]s$/.test(name) && !RUN_ELSEWHERE.includes(name));

test.for(examples)('%s', { timeout: 60_000 }, async (name) => {
  const shows = SHOWS[name] ?? [];
  expect(shows.length, `what ${name} is there to show`).toBeGreaterThan(0);
  const { stdout } = await runTypeScript(join(root, 'examples', name));
  for (const part of shows) expect(stdout).toMatch(part);
});
