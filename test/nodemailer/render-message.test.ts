/** Rendering without `createReadStream` gives the bytes that `createReadStream` gives, in memory and on disk. */
import { once } from 'node:events';
import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createTransport } from 'nodemailer';
import type { SendMailOptions } from 'nodemailer';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import type { NodemailerMail } from '../../src/nodemailer/nodemailer-mail.js';
import { dkimKey } from './dkim-key.js';
import { renderMessage, type RenderedMessage } from '../../src/nodemailer/render-message.js';

let spoolDirectory: string;

beforeAll(async () => {
  spoolDirectory = await mkdtemp(join(tmpdir(), 'smtp-routes-test-'));
});

afterAll(async () => {
  await rm(spoolDirectory, { recursive: true });
});

/** The composed mail that a transport would be called with. */
function composed(data: SendMailOptions): Promise<NodemailerMail> {
  return new Promise((resolve) => {
    const send = (mail: NodemailerMail): void => resolve(mail);
    createTransport({ name: 'x', version: '1', send } as never).sendMail(data, () => undefined);
  });
}

async function bytesOf({ message, release }: RenderedMessage): Promise<Buffer> {
  const bytes = 'open' in message ? await buffer(message.open()) : message;
  await release();
  return bytes;
}

const LONG = 'Zeile über Zeile, die länger ist als das, was in eine Zeile paßt. '.repeat(50);
const MAILS: Readonly<Record<string, SendMailOptions>> = {
  'plain text': { text: 'Hello.' },
  'text that ends in a line end': { text: 'Hello.\r\n' },
  'text that ends in a bare CR': { text: 'Hello.\r' },
  'no text': {},
  'quoted-printable and base64': { text: LONG, html: `<p>${LONG}</p>`, textEncoding: 'base64' },
  'text, HTML, an image and an attachment': {
    text: LONG,
    html: '<img src="cid:a">',
    attachments: [
      { cid: 'a', filename: 'a.png', content: Buffer.alloc(5000, 7) },
      { filename: 'ü.txt', content: 'text' },
    ],
  },
  raw: { raw: 'Subject: raw\n\nno line end' },
  'a long message': { text: 'x\n'.repeat(200_000) },
};

describe.each([0, 100, 2 ** 30])('spooled above %i', (spoolAboveBytes) => {
  const options = (): Parameters<typeof renderMessage>[1] => ({ spoolAboveBytes, spoolDirectory, limitMs: 10_000 });

  test.each(Object.entries(MAILS))('%s', async (_, data) => {
    const { message } = await composed({ from: 'a@example.org', to: 'b@example.com', ...data });
    const expected = await buffer(message.createReadStream());
    const rendered = await renderMessage(message, options());
    expect(rendered.size).toBe(expected.length);
    expect('open' in rendered.message).toBe(expected.length > spoolAboveBytes);
    expect((await bytesOf(rendered)).equals(expected)).toBe(true);
  });

  it('takes what stands between the tree and its bytes: a newline option, a transform', async () => {
    const { message } = await composed({ to: 'b@example.com', text: 'a\nb', newline: 'unix' });
    const rendered = await bytesOf(await renderMessage(message, options()));
    expect(rendered.includes('\r')).toBe(false);
  });

  it('leaves no file when it is ended at any moment', async () => {
    for (let i = 0; i < 20; i++) {
      const controller = new AbortController();
      const content = Readable.from(
        (async function* () {
          for (let chunk = 0; ; chunk++) {
            if (chunk === i) controller.abort();
            yield Buffer.alloc(100);
            await new Promise((resolve) => setImmediate(resolve));
          }
        })(),
      );
      const { message } = await composed({ to: 'b@example.com', attachments: [{ filename: 'a', content }] });
      await expect(renderMessage(message, { ...options(), signal: controller.signal })).rejects.toThrow();
      content.destroy();
      expect(readdirSync(spoolDirectory)).toEqual([]);
    }
  });

  it('a file that cannot be made is an error', async () => {
    const { message } = await composed({ to: 'b@example.com', text: 'x'.repeat(1000) });
    const rendering = renderMessage(message, { ...options(), spoolDirectory: join(spoolDirectory, 'nowhere') });
    if (spoolAboveBytes > 1000) await (await rendering).release();
    else await expect(rendering).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('where rendering is given up', () => {
  /** What stands between the tree and its bytes. */
  const WAYS: Readonly<Record<string, SendMailOptions>> = {
    base64: {},
    'no encoding': { encoding: '7bit' },
    'a newline option': { newline: 'unix' },
    DKIM: { dkim: { domainName: 'example.org', keySelector: 's', privateKey: dkimKey() } },
  };

  async function givenUp(data: SendMailOptions, begun: Promise<unknown>): Promise<void> {
    const { message } = await composed({ from: 'a@example.org', to: 'b@example.com', ...data });
    const abort = new AbortController();
    const rendering = renderMessage(message, { spoolAboveBytes: 100, limitMs: 10_000, signal: abort.signal });
    await begun;
    abort.abort();
    await expect(rendering).rejects.toThrow('aborted');
  }

  const attached = (
    { encoding, ...data }: SendMailOptions,
    attachment: NonNullable<SendMailOptions['attachments']>[number],
  ): SendMailOptions => ({
    ...data,
    attachments: [{ ...attachment, ...(encoding !== undefined && { contentTransferEncoding: encoding }) }],
  });

  test.each(Object.entries(WAYS))('a web server that has stopped is hung up on: %s', async (_, way) => {
    const web = createServer((_request, response) => {
      response.writeHead(200);
      response.write('beginning');
    });
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    try {
      const asked = once(web, 'request') as Promise<[object, ServerResponse]>;
      const href = `http://127.0.0.1:${String((web.address() as AddressInfo).port)}/`;
      const answered = asked.then(() => new Promise((resolve) => setTimeout(resolve, 20)));
      await givenUp(attached(way, { href }), answered);
      const [, response] = await asked;
      if (!response.destroyed) await once(response, 'close');
    } finally {
      web.closeAllConnections();
      web.close();
    }
  });

  test.runIf(existsSync('/proc/self/fd')).each(Object.entries(WAYS))(
    'a file that never ends is closed: %s',
    async (_, way) => {
      const open = (): number => readdirSync('/proc/self/fd').filter((fd) => isZero(fd)).length;
      await givenUp(attached(way, { path: '/dev/zero' }), new Promise((resolve) => setTimeout(resolve, 20)));
      await expect.poll(open).toBe(0);
    },
  );

  test.each(Object.entries(WAYS))(
    "the app's streams are closed, begun or not, as nodemailer 10 does: %s",
    async (_, way) => {
      const streams = [1, 2].map(() => new Readable({ read: () => undefined }));
      const [first, second] = streams;
      const begun = new Promise<void>((resolve) => {
        first!._read = () => resolve();
      });
      const { attachments } = attached(way, { content: first! });
      await givenUp({ ...way, attachments: [...attachments!, { content: second! }] }, begun);
      await expect.poll(() => streams.map(({ destroyed }) => destroyed)).toEqual([true, true]);
    },
  );

  it('so are they where another part cannot be read', async () => {
    const streams = [1, 2].map((i) =>
      Readable.from(
        i === 1
          ? ['x']
          : (async function* () {
              await new Promise(() => undefined);
              yield 'x';
            })(),
      ),
    );
    const attachments = [{ content: streams[0]! }, { path: '/nonexistent' }, { content: streams[1]! }];
    const { message } = await composed({ to: 'b@example.com', attachments });
    await expect(renderMessage(message, { spoolAboveBytes: 100, limitMs: 10_000 })).rejects.toMatchObject({
      code: 'ENOENT',
    });
    await expect.poll(() => streams.map(({ destroyed }) => destroyed)).toEqual([true, true]);
  });
});

function isZero(fd: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`) === '/dev/zero';
  } catch {
    return false;
  }
}

test('a removed file is not read any more, and never as another one', async () => {
  const { message } = await composed({ to: 'b@example.com', text: 'x'.repeat(1000) });
  const rendered = await renderMessage(message, { spoolAboveBytes: 0, spoolDirectory, limitMs: 10_000 });
  if (!('open' in rendered.message)) throw new Error('it was not spooled');
  const late = rendered.message.open();
  await rendered.release();
  await expect(buffer(late)).rejects.toThrow();
});
