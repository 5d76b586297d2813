/** The routes of an app, as its own code would have them. */
import { defineRoutes, type RouteTable } from 'smtp-routes';

export const routes: RouteTable = defineRoutes({
  relays: {
    exchange1: { host: '192.168.1.10', port: 25 },
    exchange2: { host: '192.168.1.20', port: 25 },
    backup: { host: 'backup.example.net', port: 587, requireTLS: true },
  },
  routes: [
    { match: ['example.com', '.example.com'], tiers: [['exchange1', 'exchange2'], ['backup']] },
    { match: 'spam.test', action: 'discard' },
  ],
  otherwise: 'reject',
});
