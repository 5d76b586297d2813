/**
 * The connection to Redis that the app hands in, an `ioredis` client by what it can do, and the one
 * script of ours: a list of commands, all of them or none, if a record is still what it was.
 */
import { createHash } from 'node:crypto';

export interface RedisClient {
  call(command: string, ...args: (string | number | Buffer)[]): Promise<unknown>;
  callBuffer(command: string, ...args: (string | number | Buffer)[]): Promise<unknown>;
}

export type Command = readonly (string | number | Uint8Array)[];

/** What must hold for commands to be carried out. */
export type Guard =
  | { readonly key: string; readonly version: number }
  /** The name is in neither. */
  | { readonly ids: string; readonly ended: string; readonly id: string };

const SCRIPT = `
if ARGV[1] == 'version' then
  if redis.call('HGET', KEYS[1], 'version') ~= ARGV[2] then return 0 end
elseif redis.call('HEXISTS', KEYS[1], ARGV[2]) == 1 or redis.call('ZSCORE', KEYS[2], ARGV[2]) then
  return 0
end
local i = 3
while i <= #ARGV do
  local n = tonumber(ARGV[i])
  redis.call(unpack(ARGV, i + 1, i + n))
  i = i + n + 1
end
return 1`;
const SHA = createHash('sha1').update(SCRIPT).digest('hex');

/** Answers whether the guard held. */
export async function guarded(redis: RedisClient, guard: Guard, commands: readonly Command[]): Promise<boolean> {
  const head = 'key' in guard ? [1, guard.key, 'version', guard.version] : [2, guard.ids, guard.ended, 'new', guard.id];
  const args = [...head, ...commands.flatMap((command) => [command.length, ...command.map(asArgument)])];
  try {
    return (await redis.call('EVALSHA', SHA, ...args)) === 1;
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
    return (await redis.call('EVAL', SCRIPT, ...args)) === 1;
  }
}

function asArgument(value: string | number | Uint8Array): string | number | Buffer {
  return value instanceof Uint8Array && !Buffer.isBuffer(value) ? Buffer.from(value) : value;
}
