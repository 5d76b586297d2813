import { PassThrough, Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, test, vi } from 'vitest';
import type { Message } from 'smtp-routes';
import { openBody, sizeOf } from '../../src/nodemailer/message-body.js';

const nothing = (): void => undefined;

async function readAll(stream: Readable): Promise<Buffer[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return chunks;
}

const BYTES = Buffer.from(Array.from({ length: 200_001 }, (_, i) => i % 251));

function sourceOf(pieces: () => Iterable<Buffer | string> | AsyncIterable<Buffer | string>, size?: number): Message {
  return { open: () => Readable.from(pieces()), ...(size !== undefined && { size }) };
}

describe.each<[string, Message]>([
  ['bytes', BYTES],
  ['a source of one big piece', sourceOf(() => [BYTES])],
  [
    'a source of small pieces',
    sourceOf(() => Array.from({ length: 201 }, (_, i) => BYTES.subarray(i * 1000, i * 1000 + 1000))),
  ],
])('from %s', (_name, message) => {
  it('come the same bytes, in pieces of at most 64 KB', async () => {
    const { stream, progress } = openBody(message, nothing);
    const chunks = await readAll(stream);
    expect(Buffer.concat(chunks).equals(BYTES)).toBe(true);
    expect(Math.max(...chunks.map(({ length }) => length))).toBeLessThanOrEqual(65_536);
    expect(progress).toMatchObject({ began: true, ended: true, produced: BYTES.length });
  });

  it('can be opened again, for the same bytes', async () => {
    const first = Buffer.concat(await readAll(openBody(message, nothing).stream));
    const second = Buffer.concat(await readAll(openBody(message, nothing).stream));
    expect(first.equals(second)).toBe(true);
  });

  it('nothing is read, and nobody told, before somebody asks', async () => {
    const onBegin = vi.fn();
    const { stream, progress } = openBody(message, onBegin);
    await turn();
    expect(onBegin).not.toHaveBeenCalled();
    expect(progress).toMatchObject({ began: false, ended: false, produced: 0 });
    stream.destroy();
  });

  it('it is begun once, at the first read', async () => {
    const onBegin = vi.fn();
    const { stream } = openBody(message, onBegin);
    await readAll(stream);
    expect(onBegin).toHaveBeenCalledTimes(1);
  });

  it('it has ended only after the last byte was taken, and stays unended when it is destroyed before', async () => {
    const { stream, progress } = openBody(message, nothing);
    const slow = new PassThrough({ highWaterMark: 1 });
    stream.pipe(slow);
    for (let i = 0; i < 20; i++) await turn();
    expect(progress.began).toBe(true);
    expect(progress.ended).toBe(false);
    expect(progress.produced).toBeLessThan(BYTES.length);
    stream.destroy();
    await turn();
    expect(progress.ended).toBe(false);
  });
});

it('a long body lets the event loop turn between two pieces, so that an early answer is heard', async () => {
  let turns = 0;
  let running = true;
  const count = (): void => {
    turns++;
    if (running) setImmediate(count);
  };
  setImmediate(count);
  const chunks = await readAll(openBody(BYTES, nothing).stream);
  running = false;
  expect(turns).toBeGreaterThanOrEqual(chunks.length - 1);
});

it('a short one is handed over in one turn, so that body and dot can leave together', async () => {
  const { stream, progress } = openBody(Buffer.alloc(65_536), nothing);
  stream.resume();
  await Promise.resolve();
  await new Promise<void>((resolve) => process.nextTick(resolve));
  await new Promise<void>((resolve) => process.nextTick(resolve));
  expect(progress.ended).toBe(true);
});

it('an empty message is begun and ended too', async () => {
  const { stream, progress } = openBody('', nothing);
  expect(await readAll(stream)).toEqual([]);
  expect(progress).toMatchObject({ began: true, ended: true, produced: 0 });
});

it('text is sent as UTF-8, from a string and from a source of strings', async () => {
  const text = 'Grüße – 你好\r\n';
  expect(Buffer.concat(await readAll(openBody(text, nothing).stream)).toString()).toBe(text);
  expect(
    Buffer.concat(
      await readAll(
        openBody(
          sourceOf(() => [text, text]),
          nothing,
        ).stream,
      ),
    ).toString(),
  ).toBe(text + text);
});

describe('a source that fails', () => {
  async function* half(): AsyncGenerator<Buffer> {
    yield BYTES.subarray(0, 1000);
    await turn();
    throw new Error('the disk is gone');
  }

  test.each<[string, Message]>([
    ['half-way', sourceOf(half)],
    [
      'when it is opened',
      {
        open: () => {
          throw new Error('the disk is gone');
        },
      },
    ],
    [
      'by an error event',
      {
        open: () =>
          new Readable({
            read() {
              this.destroy(new Error('the disk is gone'));
            },
          }),
      },
    ],
  ])('%s fails the body, which has begun and not ended', async (_when, message) => {
    const { stream, progress } = openBody(message, nothing);
    await expect(readAll(stream)).rejects.toThrow('the disk is gone');
    expect(progress).toMatchObject({ began: true, ended: false });
  });

  it('is closed when the body is destroyed half-way', async () => {
    const source = Readable.from(
      (function* () {
        for (;;) yield BYTES;
      })(),
    );
    const { stream } = openBody({ open: () => source }, nothing);
    stream.once('data', () => stream.destroy());
    for (let i = 0; i < 10 && !source.destroyed; i++) await turn();
    expect(source.destroyed).toBe(true);
  });
});

test.each<[string, Message, number | undefined]>([
  ['a string, in bytes', 'Grüße', 7],
  ['bytes', Buffer.alloc(12), 12],
  ['a source that says it', sourceOf(() => [], 42), 42],
  ['a source that does not', sourceOf(() => []), undefined],
])('the size of %s is known before it is read', (_what, message, size) => {
  expect(sizeOf(message)).toBe(size);
});
