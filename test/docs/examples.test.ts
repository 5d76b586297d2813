/**
 * Every example runs, and shows what it is there to show.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root, runTypeScript } from './run-typescript.js';

const SHOWS: Readonly<Record<string, readonly (string | RegExp)[]>> = {
  'technote.ts': [
    /Connection Error: DCID \d+ domain: example\.com IP: 127\.0\.0\.1 port: \d+ details: 431-exchange1\.example\.com ESMTP\\nMail system full' interface: 127\.0\.0\.1 reason: unexpected SMTP response/,
    /New SMTP DCID \d+ interface 127\.0\.0\.1 address 127\.0\.0\.1 port \d+/,
    /Delivery start DCID (\d+) MID 1 to RID \[0\].*Message done DCID \1 .*DCID \1 close/s,
    'user@example.com: delivered by exchange2',
    'exchange1: down',
    'Messages that arrived at the second server: 1',
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

test.for(readdirSync(join(root, 'examples')))('%s', { timeout: 30_000 }, async (name) => {
  const shows = SHOWS[name] ?? [];
  expect(shows.length, `what ${name} is there to show`).toBeGreaterThan(0);
  const { stdout } = await runTypeScript(join(root, 'examples', name));
  for (const part of shows) expect(stdout).toMatch(part);
});
