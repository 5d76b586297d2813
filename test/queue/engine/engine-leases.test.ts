import { expect, test } from 'vitest';
import { EngineLeases } from '../../../src/queue/engine/engine-leases.js';
import type { Engine, StoredRecord } from '../../../src/queue/engine/engine.js';
import { OwnClaims } from '../../../src/queue/engine/own-claims.js';
import { RecordChanges } from '../../../src/queue/engine/record-changes.js';
import { ManualClock } from 'smtp-routes/testing';

test('what a dead worker holds and nobody can read does not keep the living busy for ever', async () => {
  const damaged: StoredRecord = { seq: 1, version: 0, data: '{' };
  const newer: StoredRecord = { seq: 2, version: 0, data: '{"v":2}' };
  const postponed: number[] = [];
  const engine: Partial<Engine> = {
    holders: () => Promise.resolve(['dead']),
    heldBy: () => Promise.resolve([1, 2]),
    read: (seqs) => Promise.resolve([damaged, newer].filter(({ seq }) => seqs.includes(seq))),
    postpone: ({ seq }) => {
      postponed.push(seq);
      return Promise.resolve();
    },
  };
  const changes = new RecordChanges(engine as Engine, () => undefined);
  const leases = new EngineLeases(engine as Engine, changes, new OwnClaims(), new ManualClock());
  expect(await leases.freeDead(0, () => true)).toBe(0);
  expect(postponed).toEqual([1, 2]);
});
