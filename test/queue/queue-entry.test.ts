/**
 * What was stored is read as it was, or not at all.
 */
import { expect, test } from 'vitest';
import { readEntry } from '../../src/queue/queue-entry.js';

const ENTRY = {
  v: 1,
  domain: 'a.test',
  recipients: [{ recipient: 'user@a.test', attempts: 1, history: [] }],
  retries: 1,
  firstAttemptAt: 1,
  scheduledAt: 2,
  via: { relay: 'a' },
};

test('an entry is read as it was written', () => {
  expect(readEntry(JSON.stringify(ENTRY))).toEqual(ENTRY);
});

test.for<object>([
  { domain: 7 },
  { retries: '1' },
  { recipients: [] },
  { recipients: [{ recipient: 'user@a.test', attempts: 1 }] },
  { firstAttemptAt: '1' },
  { firstAttemptAt: null },
  { scheduledAt: {} },
  { via: {} },
  { via: null },
  { via: { relay: 7 } },
])('%o is damage: what comes of it after a delivery could not be stored', (damage) => {
  expect(readEntry(JSON.stringify({ ...ENTRY, ...damage }))).toBeUndefined();
});
