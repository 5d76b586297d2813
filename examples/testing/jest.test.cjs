/**
 * Routing under test with Jest, from CommonJS: the kit is built for `require` as well.
 */
const { defineRoutes } = require('smtp-routes');
const { assertRoute, assertShares, describeRoutes, simulate } = require('smtp-routes/testing');

const routes = defineRoutes({
  relays: { exchange1: { host: '192.168.1.10' }, exchange2: { host: '192.168.1.20' } },
  routes: [{ match: 'example.com', tiers: [[{ relay: 'exchange1', weight: 3 }, 'exchange2']] }],
  otherwise: 'reject',
});

test('where mail goes', () => {
  assertRoute(routes, 'user@example.com', 'exchange1*3|exchange2');
  expect(() => assertRoute(routes, 'user@example.com', 'exchange2')).toThrow('is not routed as expected');
  expect(describeRoutes(routes)).toContain('example.com  exchange1*3|exchange2');
});

test('who shares it, when all is well and when not', async () => {
  assertShares((await simulate(routes, { messages: 400 })).outcomes, { exchange1: 3, exchange2: 1 });
  const { outcomes } = await simulate(routes, { messages: 400, script: { exchange1: '451@mail busy' } });
  assertShares(outcomes, { exchange2: 1 });
});
