/**
 * Long messages of a queue on Redis in a bucket, as S3 and its likes have it: a `MessageStore` over
 * four calls, here to a bucket of this process's own.
 *
 *     bullmqQueue({ deliverer, connection, messages: bucketMessages(bucket) })
 *
 * Run it: npx tsx examples/bucket-messages.ts
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { MessageStore } from 'smtp-routes/queue';

/** What the client of a bucket does; with the AWS SDK each is one command. */
export interface Bucket {
  /** PutObject: resolves when the object is stored, whole. */
  putObject(key: string, body: Uint8Array): Promise<void>;
  /** GetObject: rejects for what is not there. */
  getObject(key: string): Promise<Readable>;
  /** DeleteObject: also of what is not there. */
  deleteObject(key: string): Promise<void>;
  /** ListObjectsV2 with its Prefix, page by page. */
  listObjects(prefix: string): AsyncIterable<{ readonly key: string; readonly lastModified: Date }>;
}

/** @param prefix begins the names of objects. It is one queue's alone: what else lies under it is swept. */
export function bucketMessages(bucket: Bucket, prefix = 'smtp-routes/'): MessageStore {
  return {
    // An object is put whole, and its length is told beforehand: no longer than `maxMessageBytes`.
    put: async (key, body) => {
      const pieces: Uint8Array[] = [];
      for await (const piece of body) pieces.push(piece);
      await bucket.putObject(prefix + key, Buffer.concat(pieces));
    },
    open: (key) =>
      Readable.from(
        (async function* () {
          yield* await bucket.getObject(prefix + key);
        })(),
        { objectMode: false },
      ),
    remove: (key) => bucket.deleteObject(prefix + key),
    list: async function* (before) {
      for await (const { key, lastModified } of bucket.listObjects(prefix)) {
        if (lastModified.getTime() < before) yield key.slice(prefix.length);
      }
    },
  };
}

/** A bucket over HTTP, without what makes it safe: signatures. */
export function httpBucket(url: string): Bucket {
  const ask = async (method: string, key = '', body?: Uint8Array): Promise<Response> => {
    const response = await fetch(new URL(key, url), { method, ...(body && { body: Buffer.from(body) }) });
    if (!response.ok) throw new Error(`the bucket answered ${String(response.status)} to ${method}`);
    return response;
  };
  return {
    putObject: async (key, body) => {
      await ask('PUT', key, body);
    },
    getObject: async (key) => Readable.from(Buffer.from(await (await ask('GET', key)).arrayBuffer())),
    deleteObject: async (key) => {
      await ask('DELETE', key);
    },
    listObjects: async function* (prefix) {
      const objects = (await (await ask('GET', `?prefix=${prefix}`)).json()) as { key: string; lastModified: string }[];
      for (const { key, lastModified } of objects) yield { key, lastModified: new Date(lastModified) };
    },
  };
}

/** The other side of it. */
export async function startBucket(): Promise<{ url: string; close: () => Promise<void> }> {
  const objects = new Map<string, { body: Buffer; lastModified: string }>();
  const server = createServer((request, response) => {
    const [key = '', prefix = ''] = (request.url ?? '').slice(1).split('?prefix=');
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const found = objects.get(key);
      if (request.method === 'PUT') {
        objects.set(key, { body: Buffer.concat(pieces), lastModified: new Date().toISOString() });
      } else if (request.method === 'DELETE') objects.delete(key);
      else if (key === '') {
        const list = [...objects].map(([name, { lastModified }]) => ({ key: name, lastModified }));
        response.end(JSON.stringify(list.filter((one) => one.key.startsWith(prefix))));
        return;
      } else if (found) {
        response.end(found.body);
        return;
      } else response.statusCode = 404;
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url, close } = await startBucket();
  const messages = bucketMessages(httpBucket(url));
  await messages.put('invoices', Readable.from([Buffer.alloc(300_000, 'x'), Buffer.alloc(100_000, 'y')]));
  let size = 0;
  for await (const chunk of messages.open('invoices')) size += (chunk as Buffer).byteLength;
  console.log(`put and opened again: ${String(size)} bytes`);
  for await (const key of messages.list(Date.now() + 1000)) console.log(`in the bucket: ${key}`);
  await messages.remove('invoices');
  let left = 0;
  for await (const key of messages.list(Date.now() + 1000)) left += key.length > 0 ? 1 : 0;
  console.log(`after its message has ended: ${String(left)}`);
  await close();
}
