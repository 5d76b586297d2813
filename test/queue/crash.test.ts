/**
 * Processes that submit and deliver are killed with SIGKILL at random instants, over and over, while
 * the server refuses, defers and drops. In the end nothing is lost, and nothing comes twice but what
 * a kill caught between the server's 250 and our commit.
 *
 * SMTP_ROUTES_CRASH_SECONDS=600 runs for longer, SMTP_ROUTES_SEED=… with other dice.
 */
import { expect, test } from 'vitest';
import { crashRun } from './crash-run.js';
import { anyDriver, scratch } from './sqlite-drivers.js';

const SECONDS = Number(process.env['SMTP_ROUTES_CRASH_SECONDS'] ?? 12);
const SEED = Number(process.env['SMTP_ROUTES_SEED'] ?? 5);
const DRAIN_MS = 60_000;

test.skipIf(!anyDriver)(
  `nothing is lost in ${String(SECONDS)} seconds of kill -9`,
  { timeout: SECONDS * 1000 + DRAIN_MS + 30_000 },
  async () => {
    const folder = scratch();
    try {
      const report = await crashRun({
        place: folder.file,
        seconds: SECONDS,
        seed: SEED,
        faultRate: 0.35,
        workers: 2,
        lifeMs: 900,
        drainMs: DRAIN_MS,
      });
      console.log(`crash test, ${report.summary}`);
      expect(report.counters, 'the last process emptied the queue').not.toBe('');
      expect(report.lost).toEqual([]);
      expect(report.problems).toEqual([]);
      expect(report.kills).toBeGreaterThan(2);
      expect(report.stored).toBeGreaterThan(20);
    } finally {
      folder.remove();
    }
  },
);
