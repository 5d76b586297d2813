/**
 * What an app tells its transporter about connections holds for a routed one too: proxies, and where
 * OAuth2 tokens come from and go.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, vi } from 'vitest';
import { MAIL, withRouted } from './routed.js';
import { withProxy } from './with-proxy.js';

const TOKEN = 'a-token-of-the-app';
const knows = (user: string, pass: string) => (gotUser: string, gotPass: string) =>
  gotUser === user && gotPass === pass;

it('setupProxy: connections go through the proxy', async () => {
  await withProxy(
    (_client, connectTo) => connectTo(0),
    async (proxy, asked) => {
      await withRouted({ first: { script: '451@greeting busy' } }, async ({ transporter, first, second }) => {
        transporter.setupProxy(proxy);
        for (let i = 0; i < 2; i++) await transporter.sendMail(MAIL);
        expect(second.messages).toHaveLength(2);
        expect(asked).toContain(`127.0.0.1:${String(first.port)}`);
        expect(asked.filter((place) => place.endsWith(`:${String(second.port)}`))).toHaveLength(2);
      });
    },
  );
});

it("set('oauth2_provision_cb'): tokens come from the app", async () => {
  const provide = vi.fn((_user: string, _renew: boolean, done: (error: null, token: string) => void) =>
    done(null, TOKEN),
  );
  const via = { auth: { type: 'OAuth2', user: 'ada' } };
  await withRouted({ first: { auth: knows('ada', TOKEN) }, via }, async ({ transporter, first }) => {
    transporter.set('oauth2_provision_cb', provide);
    for (let i = 0; i < 2; i++) await transporter.sendMail(MAIL);
    expect(first.messages.map(({ user }) => user)).toEqual(['ada', 'ada']);
    expect(provide).toHaveBeenCalledTimes(1);
  });
});

it("on('token'): the app is told of new tokens", async () => {
  const giver = createServer((_request, response) => {
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ access_token: TOKEN, token_type: 'Bearer', expires_in: 3600 }));
  });
  await new Promise<void>((resolve) => giver.listen(0, '127.0.0.1', resolve));
  const accessUrl = `http://127.0.0.1:${String((giver.address() as AddressInfo).port)}/token`;
  const auth = { type: 'OAuth2', user: 'ada', clientId: 'id', clientSecret: 'secret', refreshToken: 'r', accessUrl };
  const told = vi.fn();
  try {
    await withRouted({ first: { auth: knows('ada', TOKEN) }, via: { auth } }, async ({ transporter, first }) => {
      transporter.on('token', told);
      await transporter.sendMail(MAIL);
      expect(first.messages).toHaveLength(1);
      expect(told.mock.calls).toEqual([[expect.objectContaining({ user: 'ada', accessToken: TOKEN })]]);
    });
  } finally {
    giver.closeAllConnections();
    await new Promise((resolve) => giver.close(resolve));
  }
});
