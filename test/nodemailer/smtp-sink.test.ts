/**
 * Against a server that is not ours: Postfix' `smtp-sink`, refusing and hanging up as its flags say.
 */
import { describe, expect, test } from 'vitest';
import { Deliverer, defineRoutes } from 'smtp-routes';
import { nodemailerTransport } from 'smtp-routes/nodemailer';
import { isSinkInstalled, startSink } from '../smtp-sink.js';

const installed = isSinkInstalled();
if (!installed) {
  console.warn(
    'skipped: smtp-sink is not installed (Debian: apt-get install postfix); the rest of the suite runs without it',
  );
}

/** Delivers one message to a sink with these flags, with a plain sink behind it; answers the status and the first attempt. */
async function deliver(flags: readonly string[], pool: boolean): Promise<string[]> {
  await using first = await startSink(flags);
  await using second = await startSink();
  const routes = defineRoutes({
    relays: {
      first: { host: '127.0.0.1', port: first.port, pool },
      second: { host: '127.0.0.1', port: second.port, pool },
    },
    routes: [{ match: 'ALL', tiers: [['first'], ['second']] }],
  });
  await using deliverer = new Deliverer({ routes, transport: nodemailerTransport() });
  const { recipients, attempts } = await deliverer.deliver({
    envelope: { from: 'a@sender.example', to: ['b@example.com'] },
    message: 'Subject: x\r\n\r\nbody\r\n',
  });
  const [result] = recipients;
  const [attempt] = attempts;
  const failure = attempt?.failure;
  const what = failure?.kind === 'reply' ? `${String(failure.reply.code).charAt(0)}xx` : (failure?.kind ?? 'accepted');
  return [
    result?.status === 'delivered' ? `delivered by ${result.relay}` : (result?.status ?? ''),
    `${attempt?.phase ?? ''}: ${what}`,
    ...(attempt?.verdict?.cool ? ['cooled'] : []),
  ];
}

describe.skipIf(!installed).each([false, true])('smtp-sink (pool: %s)', (pool) => {
  test.each<[flags: string, ...expected: string[]]>([
    ['', 'delivered by first', 'final-reply: accepted'],
    ['-p', 'delivered by first', 'final-reply: accepted'],
    ['-e', 'delivered by first', 'final-reply: accepted'],
    ['-r CONNECT', 'delivered by second', 'connect: 4xx', 'cooled'],
    ['-f CONNECT', 'delivered by second', 'connect: 5xx', 'cooled'],
    ['-q CONNECT', 'delivered by second', 'connect: lost', 'cooled'],
    ['-q EHLO', 'delivered by second', 'session: lost', 'cooled'],
    ['-r MAIL', 'delivered by second', 'envelope: 4xx'],
    ['-f MAIL', 'rejected', 'envelope: 5xx'],
    ['-r RCPT', 'delivered by second', 'envelope: 4xx'],
    ['-f RCPT', 'rejected', 'envelope: 5xx'],
    ['-q RCPT', 'delivered by second', 'envelope: lost', 'cooled'],
    ['-r DATA', 'delivered by second', 'envelope: 4xx'],
    ['-f DATA', 'rejected', 'envelope: 5xx'],
    ['-r .', 'delivered by second', 'final-reply: 4xx'],
    ['-f .', 'rejected', 'final-reply: 5xx'],
    ['-q .', 'possibly-delivered', 'final-reply: lost', 'cooled'],
  ])('with %j', async (flags, ...expected) => {
    expect(await deliver(flags === '' ? [] : flags.split(' '), pool)).toEqual(expected);
  });
});
