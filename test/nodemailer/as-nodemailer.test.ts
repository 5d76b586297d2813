/**
 * Errors side by side with those of nodemailer's own SMTP transport, of whichever version is
 * installed, from the same server: what an app reads of them is the same.
 */
import { createTransport, type SendMailOptions, type Transporter } from 'nodemailer';
import type SMTPTransport from 'nodemailer/lib/smtp-transport/index.js';
import { defineRoutes } from 'smtp-routes';
import { RoutedMailError, RoutedTransport, type RoutedMessageInfo } from 'smtp-routes/nodemailer';
import { startSmtpServer } from 'smtp-routes/testing';
import { expect, test } from 'vitest';
import { MAIL } from './routed.js';

interface Fields extends Error {
  readonly code?: string;
  readonly command?: string;
  readonly responseCode?: number;
  readonly response?: string;
  readonly errno?: number;
  readonly syscall?: string;
  readonly path?: string;
  readonly sourceUrl?: string;
}

interface Both {
  readonly theirs: Fields;
  readonly ours: Fields;
}

type Action = 'sendMail' | 'verify';

type Provide = (user: string, renew: boolean, done: (error: Error) => void) => void;

interface Via {
  readonly auth?:
    | { readonly user: string; readonly pass: string; readonly method?: string }
    | { readonly type: 'OAuth2'; readonly user: string; readonly provisionCallback: Provide };
  readonly requireTLS?: boolean;
}

async function failed(what: Promise<unknown>): Promise<Fields> {
  const result = await what.catch((error: unknown) => error);
  if (!(result instanceof Error)) throw new Error('it did not fail');
  return result;
}

interface Transporters {
  readonly own: Transporter<SMTPTransport.SentMessageInfo>;
  readonly routed: Transporter<RoutedMessageInfo>;
}

async function withBoth<T>(
  { script, auth, requireTLS = false, wrapped = false }: Via & { readonly script?: string; readonly wrapped?: boolean },
  use: (transporters: Transporters) => Promise<T>,
): Promise<T> {
  const server = await startSmtpServer({ ...(script !== undefined && { script }), ...(auth && { auth: () => true }) });
  const relay = { host: server.host, port: server.port, requireTLS, ...(auth && { auth }) };
  const own = createTransport(relay);
  const transport = new RoutedTransport({
    routes: defineRoutes({
      relays: { only: wrapped ? { transport: own } : relay },
      routes: [{ match: 'ALL', tiers: [['only']] }],
    }),
  });
  try {
    return await use({ own, routed: createTransport(transport) });
  } finally {
    own.close();
    await transport.close();
    await server.close();
  }
}

async function both(script: string, via: Via, action: Action, wrapped = false): Promise<Both> {
  return withBoth({ script, ...via, wrapped }, async ({ own, routed }) => ({
    theirs: await failed(action === 'verify' ? own.verify() : own.sendMail(MAIL)),
    ours: await failed(action === 'verify' ? routed.verify() : routed.sendMail(MAIL)),
  }));
}

const read = ({ code, command, responseCode, response }: Fields) => ({ code, command, responseCode, response });

const withoutAbsent = (fields: object) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

const PASSWORD = { auth: { user: 'ada', pass: 'secret' } };

const NO_TOKEN: Via = {
  auth: { type: 'OAuth2', user: 'ada', provisionCallback: (_user, _renew, done) => done(new Error('no token')) },
};

const BEFORE_MAIL: readonly [string, Via][] = [
  ['554@greeting 5.3.2 go away', {}],
  ['554@ehlo no', {}],
  ['421@ehlo busy', {}],
  ['535@auth 5.7.8 wrong', PASSWORD],
  ['535@auth 5.7.8 wrong', { auth: { ...PASSWORD.auth, method: 'LOGIN' } }],
  ['454@auth 4.7.0 later', PASSWORD],
  ['502@starttls no', { requireTLS: true }],
  ['250', NO_TOKEN],
  ['refused', {}],
];

test.each(BEFORE_MAIL)('verify(), %s %j', async (script, via) => {
  const { theirs, ours } = await both(script, via, 'verify');
  expect(read(ours)).toEqual(read(theirs));
});

const EVERYWHERE: readonly [string, Via][] = [
  ...BEFORE_MAIL,
  ['550@mail 5.7.1 not you', PASSWORD],
  ['451@mail 4.7.1 later', PASSWORD],
  ['550@rcpt 5.1.1 nobody', PASSWORD],
  ['450@rcpt 4.2.1 busy', PASSWORD],
  ['554@data 5.7.1 no', PASSWORD],
  ['451@data 4.3.0 later', PASSWORD],
  ['554@final-reply 5.7.1 spam', PASSWORD],
];

test.each([false, true].flatMap((wrapped) => EVERYWHERE.map(([script, via]) => [script, via, wrapped] as const)))(
  'sendMail(), %s %j, through a wrapped transport: %j',
  async (script, via, wrapped) => {
    const { theirs, ours } = await both(script, via, 'sendMail', wrapped);
    if (!(ours instanceof RoutedMailError)) throw ours;
    expect(ours.rejectedErrors.map(read)).toEqual([read(theirs)]);
    // Of what another try may help against, the error itself has a code of its own.
    expect(read(ours)).toEqual({ ...read(theirs), ...(!ours.permanent && { code: 'EDEFERRED' }) });
    if (ours.permanent) expect(ours.message).toBe(theirs.message);
  },
);

const TO = 'user@example.com';

test.each<[string, SendMailOptions]>([
  ['no from', { to: TO }],
  ['an empty from', { from: '', to: TO }],
  ['a sender alone', { sender: 'app@sender.example', to: TO }],
  ['a null sender', { ...MAIL, envelope: { from: '', to: TO } }],
  ['a null sender in brackets', { ...MAIL, envelope: { from: '<>', to: [TO] } }],
  ['an envelope without from', { ...MAIL, envelope: { to: TO } }],
  ['an envelope with from', { ...MAIL, envelope: { from: 'Bounces <bounces@sender.example>', to: TO } }],
])('info, %s', async (_, mail) => {
  await withBoth({}, async ({ own, routed }) => {
    const theirs = await own.sendMail({ text: 'Hello.', ...mail });
    const ours = await routed.sendMail({ text: 'Hello.', ...mail });
    const { envelope, accepted, rejected, response } = theirs;
    expect(ours).toMatchObject({ envelope, accepted, rejected, response });
  });
});

test('info, the size of a message', async () => {
  await withBoth({}, async ({ own, routed }) => {
    const raw = { raw: 'Subject: x\r\n\r\nHello.\r\n', envelope: { from: 'app@sender.example', to: TO } };
    expect((await routed.sendMail(raw)).messageSize).toBe((await own.sendMail(raw)).messageSize);
  });
});

test.each([['/nowhere/at/all'], ['http://127.0.0.1:1/refused']])('a message that cannot be read: %s', async (path) => {
  await withBoth({}, async ({ own, routed }) => {
    const mail = { ...MAIL, attachments: [{ path }] };
    const theirs = await failed(own.sendMail(mail));
    const ours = await failed(routed.sendMail(mail));
    expect(theirs).toMatchObject({ code: 'ESTREAM', command: 'API', errno: expect.any(Number) as number });
    const { code, command, errno, syscall, path: file, sourceUrl } = theirs;
    expect(ours).toMatchObject(withoutAbsent({ code, command, errno, syscall, path: file, sourceUrl }));
  });
});
