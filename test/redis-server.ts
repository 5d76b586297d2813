/**
 * Debian's `redis-server` on a free port of the loopback interface, with a data folder of its own
 * and the settings that mail asks for: every write on the disk before it is answered.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.js';
import { findProgram, ServerProcess } from './server-process.js';

export interface RedisServer extends AsyncDisposable {
  readonly port: number;
  /** Stops it without ceremony, and starts it again on the same data. */
  restart(): Promise<void>;
}

/** Why its tests cannot run; undefined if they can. */
export const redisMissing: string | undefined =
  findProgram('redis-server') === undefined
    ? 'redis-server is not installed (Debian: apt-get install redis-server)'
    : undefined;

/** @throws {Error} where it is not installed, or does not start */
export async function startRedis(): Promise<RedisServer> {
  const file = findProgram('redis-server');
  if (file === undefined) throw new Error(redisMissing);
  const folder = mkdtempSync(join(tmpdir(), 'smtp-routes-redis-'));
  const port = await freePort();
  const flags = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', ''];
  const durable = ['--appendonly', 'yes', '--appendfsync', 'always', '--maxmemory-policy', 'noeviction'];
  const server = new ServerProcess({ file, flags: [...flags, ...durable], isReady: () => pongs(port) });
  await server.start();
  return {
    port,
    restart: async () => {
      await server.stop('SIGKILL');
      await server.start();
    },
    [Symbol.asyncDispose]: async () => {
      await server.stop('SIGTERM');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Answers PING, and is not still reading its log. */
function pongs(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1', () => socket.write('PING\r\n'));
    const end = (yes: boolean): void => {
      socket.destroy();
      resolve(yes);
    };
    socket.once('data', (data) => {
      end(data.toString().startsWith('+PONG'));
    });
    socket.once('error', () => {
      end(false);
    });
    socket.once('close', () => {
      end(false);
    });
  });
}
