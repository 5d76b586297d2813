/**
 * Errors side by side with those of nodemailer's own SMTP transport, of whichever version is
 * installed, from the same server: what an app reads of them is the same.
 */
import { createTransport } from 'nodemailer';
import { defineRoutes } from 'smtp-routes';
import { RoutedTransport, RoutedMailError } from 'smtp-routes/nodemailer';
import { startSmtpServer } from 'smtp-routes/testing';
import { expect, test } from 'vitest';
import { MAIL } from './routed.js';

interface Fields extends Error {
  readonly code?: string;
  readonly command?: string;
  readonly responseCode?: number;
  readonly response?: string;
}

interface Both {
  readonly theirs: Fields;
  readonly ours: Fields;
}

type Action = 'sendMail' | 'verify';

interface Via {
  readonly auth?: { readonly user: string; readonly pass: string; readonly method?: string };
}

async function failed(what: Promise<unknown>): Promise<Fields> {
  const result = await what.catch((error: unknown) => error);
  if (!(result instanceof Error)) throw new Error('it did not fail');
  return result;
}

async function both(script: string, via: Via, action: Action, wrapped = false): Promise<Both> {
  const server = await startSmtpServer({ script, auth: () => true });
  const relay = { host: server.host, port: server.port, ...via };
  const own = createTransport(relay);
  const transport = new RoutedTransport({
    routes: defineRoutes({
      relays: { only: wrapped ? { transport: own } : relay },
      routes: [{ match: 'ALL', tiers: [['only']] }],
    }),
  });
  const routed = createTransport(transport);
  try {
    return action === 'verify'
      ? { theirs: await failed(own.verify()), ours: await failed(routed.verify()) }
      : { theirs: await failed(own.sendMail(MAIL)), ours: await failed(routed.sendMail(MAIL)) };
  } finally {
    own.close();
    await transport.close();
    await server.close();
  }
}

const read = ({ code, command, responseCode, response }: Fields) => ({ code, command, responseCode, response });

const PASSWORD = { auth: { user: 'ada', pass: 'secret' } };

const BEFORE_MAIL: readonly [string, Via][] = [
  ['554@greeting 5.3.2 go away', {}],
  ['554@ehlo no', {}],
  ['421@ehlo busy', {}],
  ['535@auth 5.7.8 wrong', PASSWORD],
  ['535@auth 5.7.8 wrong', { auth: { ...PASSWORD.auth, method: 'LOGIN' } }],
  ['454@auth 4.7.0 later', PASSWORD],
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
