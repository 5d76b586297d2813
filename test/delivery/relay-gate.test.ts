import { describe, expect, test } from 'vitest';
import type { Failure } from '../../src/core/failure.js';
import { Interruption } from '../../src/delivery/interruption.js';
import { RelayGate, type Admission, type Room } from '../../src/delivery/relay-gate.js';

const FAILURE: Failure = { kind: 'lost', phase: 'connect', code: 'ECONNREFUSED', message: 'refused' };
const up = (limit: number): Room => ({ down: false, limit });
const DOWN: Room = { down: true, limit: 5 };

/** A gate, and a log of who was admitted how. */
function setUp(): {
  gate: RelayGate;
  log: string[];
  come: (name: string, room: Room, interruption?: Interruption) => void;
} {
  const gate = new RelayGate();
  const log: string[] = [];
  const note = (name: string, admission: Admission): void => {
    log.push(`${name} ${typeof admission === 'string' ? admission : 'shared'}`);
  };
  return {
    gate,
    log,
    come: (name, room, interruption = new Interruption()) => {
      const admission = gate.enter(room, interruption);
      if (admission instanceof Promise)
        void admission.then((late) => {
          note(name, late);
        });
      else note(name, admission);
    },
  };
}

const settled = (): Promise<void> => Promise.resolve();

describe('a relay that is up', () => {
  test('lets in as many as it can take, then one for each that leaves, first come, first served', async () => {
    const { gate, log, come } = setUp();
    for (const name of ['1', '2', '3', '4', '5']) come(name, up(2));
    expect([...log, gate.inside]).toEqual(['1 entered', '2 entered', 2]);
    gate.leave(up(2), undefined);
    await settled();
    expect([...log.slice(2), gate.inside]).toEqual(['3 entered', 2]);
    gate.leave(up(2), undefined);
    gate.leave(up(2), undefined);
    await settled();
    expect([...log.slice(3), gate.inside]).toEqual(['4 entered', '5 entered', 2]);
  });

  test('whose limit grows lets in more at once', async () => {
    const { gate, log, come } = setUp();
    for (const name of ['1', '2', '3', '4']) come(name, up(1));
    gate.leave(up(3), undefined);
    await settled();
    expect(log).toEqual(['1 entered', '2 entered', '3 entered', '4 entered']);
  });

  test('that goes down turns away those who wait', async () => {
    const { gate, log, come } = setUp();
    for (const name of ['1', '2', '3']) come(name, up(1));
    gate.leave(DOWN, FAILURE);
    await settled();
    expect(log).toEqual(['1 entered', '2 turned-away', '3 turned-away']);
    expect(gate.inside).toBe(0);
  });
});

describe('a relay that is down', () => {
  test('lets in one, and the others share its failure', async () => {
    const { gate, log, come } = setUp();
    for (const name of ['1', '2', '3']) come(name, DOWN);
    gate.leave(DOWN, FAILURE);
    await settled();
    expect(log).toEqual(['1 entered', '2 shared', '3 shared']);
    expect(gate.inside).toBe(0);
  });

  test('lets in one after the other, if there is no failure to share', async () => {
    const { gate, log, come } = setUp();
    for (const name of ['1', '2', '3']) come(name, DOWN);
    gate.leave(DOWN, undefined);
    await settled();
    expect(log).toEqual(['1 entered', '2 entered']);
    gate.leave(DOWN, undefined);
    gate.leave(DOWN, undefined);
    await settled();
    expect(log).toEqual(['1 entered', '2 entered', '3 entered']);
    expect(gate.inside).toBe(0);
  });

  test('that comes back lets in as many as it can take', async () => {
    const { gate, log, come } = setUp();
    for (const name of ['1', '2', '3', '4']) come(name, DOWN);
    gate.leave(up(2), undefined);
    await settled();
    expect(log).toEqual(['1 entered', '2 entered', '3 entered']);
    gate.leave(up(2), undefined);
    await settled();
    expect(log).toEqual(['1 entered', '2 entered', '3 entered', '4 entered']);
  });

  test('waits for those that were there before it went down', async () => {
    const { gate, log, come } = setUp();
    come('1', up(2));
    come('2', up(2));
    gate.leave(DOWN, FAILURE);
    come('3', DOWN);
    await settled();
    expect(log).toEqual(['1 entered', '2 entered']);
    gate.leave(DOWN, undefined);
    await settled();
    expect(log[2]).toBe('3 entered');
  });
});

describe('an interruption', () => {
  test('while waiting ends the waiting, and takes no place', async () => {
    const { gate, log, come } = setUp();
    const interruption = new Interruption();
    come('1', up(1));
    come('2', up(1), interruption);
    come('3', up(1));
    interruption.interrupt(new DOMException('x', 'AbortError'));
    gate.leave(up(1), undefined);
    await settled();
    expect(log).toEqual(['1 entered', '2 abandoned', '3 entered']);
    expect(gate.inside).toBe(1);
  });

  test('before: abandoned, whatever room there is', () => {
    const { gate, log, come } = setUp();
    const interruption = new Interruption();
    interruption.interrupt(new DOMException('x', 'AbortError'));
    come('1', up(9), interruption);
    expect([...log, gate.inside]).toEqual(['1 abandoned', 0]);
  });

  test('after it was let in, nothing is undone', async () => {
    const { gate, log, come } = setUp();
    const interruption = new Interruption();
    come('1', up(1));
    come('2', up(1), interruption);
    gate.leave(up(1), undefined);
    interruption.interrupt(new DOMException('x', 'AbortError'));
    await settled();
    expect([...log, gate.inside]).toEqual(['1 entered', '2 entered', 1]);
  });
});

test('a long line costs no more than its length', async () => {
  const { gate, log, come } = setUp();
  const count = 20_000;
  for (let i = 0; i < count; i++) come(String(i), up(20));
  for (let i = 0; i < count; i++) gate.leave(up(20), undefined);
  await settled();
  expect(log).toHaveLength(count);
  expect(gate.inside).toBe(0);
});
