/**
 * A test of your routes, as it would run in CI: where does mail go, and what happens when the first
 * host is down? No network, no waiting. Here with node:test; any runner does.
 */
import assert from 'node:assert/strict';
import test from 'node:test';
import { createTransport } from 'nodemailer';
import { defineRoutes, RouteResolver, type RouteTable } from 'smtp-routes';
import { RoutedTransport } from 'smtp-routes/nodemailer';
import { ScriptedTransport } from 'smtp-routes/testing';

// In an app: import { routes } from './routes.js';
const routes: RouteTable = defineRoutes({
  relays: {
    eu1: { host: 'smtp1.eu.example.net' },
    eu2: { host: 'smtp2.eu.example.net' },
    backup: { host: 'backup.example.org' },
  },
  routes: [
    { match: '.example.com', tiers: [['eu1', 'eu2'], ['backup']] },
    { match: 'spam.test', action: 'discard' },
    { match: 'ALL', tiers: [['backup']] },
  ],
});

const where = (address: string): unknown => {
  const plan = new RouteResolver(routes).resolve(address);
  return plan.action === 'relay' ? plan.tiers.map(({ relays }) => relays.map(({ id }) => id)) : plan.action;
};

void test('mail goes where we think', () => {
  assert.deepEqual(where('user@mail.example.com'), [['eu1', 'eu2'], ['backup']]);
  assert.deepEqual(where('user@elsewhere.test'), [['backup']]);
  assert.equal(where('user@spam.test'), 'discard');
});

void test('when both hosts in the EU are down, the backup takes over', async () => {
  const transport = new ScriptedTransport({ eu1: ['refused'], eu2: ['421@greeting busy'], backup: ['250 2.0.0 ok'] });
  const transporter = createTransport(new RoutedTransport({ routes, transport }));
  const info = await transporter.sendMail({ from: 'app@sender.example', to: 'user@mail.example.com', text: 'Hello.' });
  assert.equal(info.response, '250 2.0.0 ok');
  assert.deepEqual(info.outcome.attempts.map(({ relay }) => relay).sort(), ['backup', 'eu1', 'eu2']);
  transport.assertExhausted();
});

void test('when a recipient does not exist, the app is told', async () => {
  const transport = new ScriptedTransport({ backup: ['550@rcpt 5.1.1 no such user'] });
  const transporter = createTransport(new RoutedTransport({ routes, transport }));
  const sending = transporter.sendMail({ from: 'app@sender.example', to: 'nobody@elsewhere.test', text: 'Hello.' });
  await assert.rejects(sending, { code: 'EENVELOPE', responseCode: 550, permanent: true });
});
