/** The README's table of failures: each row is tried, with a queue and without. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { SendMailOptions } from 'nodemailer';
import type { RoutedMailError } from 'smtp-routes/nodemailer';
import type { SmtpServerOptions } from 'smtp-routes/testing';
import { expect, test } from 'vitest';
import { makeQueue } from '../nodemailer/array-queue.js';
import { MAIL, withRouted } from '../nodemailer/routed.js';
import { root } from './run-typescript.js';

interface Trial {
  readonly first?: SmtpServerOptions;
  /** Default: the same as the first. */
  readonly second?: SmtpServerOptions;
  readonly mail?: SendMailOptions | (() => SendMailOptions);
}

const TWO = { to: ['user@example.com', 'odd@example.com'] };
const ROWS: Readonly<Record<string, readonly Trial[]>> = {
  '5xx to the recipient': [{ first: { script: '550@rcpt 5.1.1 nobody' } }],
  '5xx to the message': [{ first: { script: '554@final-reply 5.7.1 spam' } }],
  'the message is too large': [{ first: { extensions: ['SIZE 10'] } }],
  '4xx': [{ first: { script: '450@rcpt busy' } }, { first: { script: '451@final-reply busy' } }],
  'refused, or it does not answer': [{ first: { script: 'refused' } }, { first: { script: 'close@greeting' } }],
  '5xx greeting, or a wrong password': [
    { first: { script: '554@greeting no' } },
    { first: { script: '535@mail 5.7.8 expired' } },
  ],
  'lost after the final dot': [{ first: { script: 'close@final-reply' } }],
  '4xx to one recipient of two': [{ first: { script: '450@rcpt(odd@example.com) busy' }, mail: TWO }],
  '5xx to one recipient of two': [{ first: { script: '550@rcpt(odd@example.com) no' }, mail: TWO }],
  'the first 4xx, the second takes it': [{ first: { script: '450@rcpt busy' }, second: {} }],
  'nothing: a `discard` route': [{ mail: { to: 'user@void.test' } }],
  'nothing: an attachment cannot be read': [{ mail: { attachments: [{ path: '/nowhere/at/all' }] } }],
  'nothing yet: `signal` aborted': [
    {
      mail: () => {
        const controller = new AbortController();
        const content = new Readable({ read: () => controller.abort() });
        return { signal: controller.signal, attachments: [{ filename: 'a', content }] };
      },
    },
  ],
};

const readme = readFileSync(join(root, 'README.md'), 'utf8');
const table = /^\| what every relay says.*\n\| -.*\n((?:\|.*\n)+)/m.exec(readme)?.[1] ?? '';
const rows = table
  .trim()
  .split('\n')
  .map((line) =>
    line
      .split('|')
      .slice(1, 4)
      .map((cell) => cell.trim()),
  );

test('every row is tried', () => {
  expect(rows.map(([what]) => what)).toEqual(Object.keys(ROWS));
});

/** `rejects, EENVELOPE`, or `resolves,` and the list that is to be looked at. */
async function told({ first = {}, second = first, mail = {} }: Trial, queued: boolean): Promise<string> {
  const options = queued ? { queue: makeQueue().queue } : {};
  return withRouted({ first, second, options }, async ({ transporter }) => {
    try {
      const info = await transporter.sendMail({ ...MAIL, ...(typeof mail === 'function' ? mail() : mail) });
      const lists = (['rejected', 'pending'] as const).filter((name) => info[name].length > 0);
      return `resolves, ${(lists.length > 0 ? lists : ['accepted']).map((name) => `\`${name}\``).join(' and ')}`;
    } catch (error) {
      return `rejects, \`${(error as RoutedMailError).code}\``;
    }
  });
}

test.each(rows)('%s', async (what, without, withQueue) => {
  for (const trial of ROWS[what] ?? []) {
    expect([await told(trial, false), await told(trial, true)]).toEqual([without, withQueue]);
  }
});
