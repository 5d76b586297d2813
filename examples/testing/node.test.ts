/**
 * Routing under test with node:test: the kit throws ordinary assertion errors, so it needs no runner of
 * its own.
 */
import { equal } from 'node:assert/strict';
import { test } from 'node:test';
import { Deliverer } from 'smtp-routes';
import {
  assertAccounted,
  assertRoute,
  assertShares,
  ManualClock,
  ScriptedTransport,
  simulate,
} from 'smtp-routes/testing';
import { routes } from './routes.js';

void test('mail of example.com goes to the exchanges, then to the backup', () => {
  assertRoute(routes, 'user@example.com', 'exchange1|exchange2 > backup');
});

void test('with both exchanges down the backup takes everything', async () => {
  const { outcomes } = await simulate(routes, { messages: 50, down: ['exchange1', 'exchange2'] });
  assertShares(outcomes, { backup: 1 });
});

void test('one recipient is greylisted and goes to the next host, the other does not', async () => {
  const transport = new ScriptedTransport({ exchange1: ['450@rcpt(u1@example.com) greylisted'], exchange2: ['250'] });
  const deliverer = new Deliverer({ routes, transport, clock: new ManualClock(), random: () => 0 });
  const to = ['u1@example.com', 'u2@example.com'];
  const outcome = await deliverer.deliver({ envelope: { from: '', to }, message: 'Subject: x\r\n\r\n' });
  assertAccounted(to, outcome);
  equal(
    outcome.recipients.map((one) => (one.status === 'delivered' ? one.relay : one.status)).join(),
    'exchange2,exchange1',
  );
  transport.assertExhausted();
});
