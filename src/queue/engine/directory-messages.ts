/**
 * Long bodies in a directory that every worker can reach: shared storage where there are several
 * machines.
 */
import { createReadStream } from 'node:fs';
import { open, opendir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { RouteConfigError } from '../../core/config-error.js';
import type { MessageStore } from './message-store.js';

/** Of what is not whole yet. */
const PART = '.part';
const KEY = /^[\w-]{1,100}$/;

/**
 * Files in a directory, which is there already: a mount that is missing must not go unnoticed.
 * Written under another name, synced, renamed, and the directory synced, so that a body is there as
 * a whole or not at all. The directory is one queue's alone.
 *
 * @throws {RouteConfigError} if the path is none
 */
export function directoryMessages(path: string): MessageStore {
  if (typeof path !== 'string' || path === '') {
    throw new RouteConfigError('directoryMessages', [{ path: 'path', message: 'must be the path of a directory' }]);
  }
  const fileOf = (key: string): string => {
    if (!KEY.test(key)) throw new TypeError('the key of a body is letters, digits, _ and -');
    return join(path, key);
  };
  const remove = async (key: string): Promise<void> => {
    const file = fileOf(key);
    await rm(file, { force: true });
    await rm(file + PART, { force: true });
  };
  return {
    put: async (key, body) => {
      const file = fileOf(key);
      try {
        await writeSynced(file + PART, body);
        await rename(file + PART, file);
        await syncDirectory(path);
      } catch (error) {
        await remove(key).catch(() => undefined);
        throw error;
      }
    },
    open: (key) => createReadStream(fileOf(key)),
    remove,
    list: async function* (before) {
      for await (const { name } of await opendir(path)) {
        // What a crash left half-written is of nobody as well; what has no key's name is not ours.
        const key = name.endsWith(PART) ? name.slice(0, -PART.length) : name;
        if (!KEY.test(key)) continue;
        const found = await stat(join(path, name)).catch(() => undefined);
        if (found?.isFile() && found.mtimeMs < before) yield key;
      }
    },
  };
}

async function writeSynced(file: string, body: AsyncIterable<Uint8Array>): Promise<void> {
  const handle = await open(file, 'wx');
  try {
    for await (const piece of body) await handle.writeFile(piece);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** So that the name survives as well. Windows has no such thing. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
