/**
 * Routing under test with vitest: where mail goes, who shares it, what happens when hosts are down, and
 * the app's own sending against a server that misbehaves. Nothing leaves the machine.
 */
import { Deliverer, defineRoutes } from 'smtp-routes';
import { nodemailerTransport } from 'smtp-routes/nodemailer';
import { assertRoute, assertShares, describeRoutes, simulate, startSmtpServer } from 'smtp-routes/testing';
import { expect, test } from 'vitest';
import { routes } from './routes.js';

test('mail of example.com goes to the exchanges, then to the backup', () => {
  assertRoute(routes, 'user@example.com', 'exchange1|exchange2 > backup');
  assertRoute(routes, 'user@sub.example.com', 'exchange1|exchange2 > backup');
  assertRoute(routes, 'user@spam.test', 'discard');
  assertRoute(routes, 'user@elsewhere.test', 'reject');
});

test('a change of the routes shows in a review', () => {
  expect(describeRoutes(routes)).toMatchInlineSnapshot(`
    "relays:
      backup     backup.example.net:587
      exchange1  192.168.1.10:25
      exchange2  192.168.1.20:25
    routes:
      example.com   exchange1|exchange2 > backup
      .example.com  exchange1|exchange2 > backup
      spam.test     discard
      otherwise     reject"
  `);
});

test('both exchanges share the mail, and one alone takes all', async () => {
  const usual = await simulate(routes, { messages: 100 });
  assertShares(usual.outcomes, { exchange1: 1, exchange2: 1 });
  const oneDown = await simulate(routes, { messages: 100, down: ['exchange1'] });
  assertShares(oneDown.outcomes, { exchange2: 1 });
});

test('three days with nobody there: tried again on the schedule, and given up in the end', async () => {
  const { queued } = await simulate(routes, { down: ['exchange1', 'exchange2', 'backup'] });
  expect(queued[0]?.retriesAt.length).toBeGreaterThan(70);
  expect(queued[0]?.end).toMatchObject({ status: 'rejected', failure: { kind: 'expired' } });
});

test('over real sockets: the first server is full, so the second takes the mail', async () => {
  await using full = await startSmtpServer({ script: '431@greeting Mail system full' });
  await using good = await startSmtpServer();
  const local = defineRoutes({
    relays: { full: { host: full.host, port: full.port }, good: { host: good.host, port: good.port } },
    routes: [{ match: 'ALL', tiers: [['full', 'good']] }],
  });
  await using deliverer = new Deliverer({ routes: local, transport: nodemailerTransport() });
  const mail = {
    envelope: { from: 'app@example.org', to: ['user@example.com'] },
    message: 'Subject: hi\r\n\r\nhi\r\n',
  };
  expect((await deliverer.deliver(mail)).recipients).toMatchObject([{ status: 'delivered', relay: 'good' }]);
  expect(good.messages).toHaveLength(1);
});
