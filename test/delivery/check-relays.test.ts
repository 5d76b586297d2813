import { Deliverer, type RelayTransport } from 'smtp-routes';
import { ManualClock } from 'smtp-routes/testing';
import { describe, expect, test } from 'vitest';
import { allTo } from './set-up.js';

function setUpCheck(check: RelayTransport['check'], options: object = {}) {
  const clock = new ManualClock();
  const transport: RelayTransport = { send: () => Promise.resolve([]), ...(check && { check }) };
  return { clock, deliverer: new Deliverer({ routes: allTo(['a', 'b']), transport, clock, ...options }) };
}

describe('check()', () => {
  test('tells by relay what the transport says, and leaves no timer', async () => {
    const { clock, deliverer } = setUpCheck(({ id }) =>
      id === 'a' ? Promise.reject(new Error('wrong password')) : Promise.resolve(),
    );
    const broken = await deliverer.check();
    expect([...broken].map(([relay, { message }]) => `${relay}: ${message}`)).toContain('a: wrong password');
    expect(broken.has('b')).toBe(false);
    expect(clock.sleeping).toBe(0);
  });

  test('a transport that cannot tell has no broken relays', async () => {
    expect((await setUpCheck(undefined).deliverer.check()).size).toBe(0);
  });

  test.each([
    ['attemptTimeoutMs', { attemptTimeoutMs: 5000 }],
    ['deadlineMs, if that is shorter', { attemptTimeoutMs: 9000, deadlineMs: 5000 }],
  ])('one that never settles is waited for no longer than %s', async (_, options) => {
    const { clock, deliverer } = setUpCheck(
      ({ id }) => (id === 'a' ? new Promise(() => undefined) : Promise.resolve()),
      options,
    );
    const broken = await clock.runUntil(deliverer.check());
    expect([...broken.keys()]).toEqual(['a']);
    expect(broken.get('a')).toMatchObject({
      message: 'relay a cannot be used: no answer within 5000 ms',
      code: 'ETIMEDOUT',
      cause: { kind: 'lost', phase: 'connect', code: 'ETIMEDOUT' },
    });
    expect(clock.sleeping).toBe(0);
  });
});
