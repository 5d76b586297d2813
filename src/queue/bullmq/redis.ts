/**
 * The connection to Redis that the app hands in, an `ioredis` client by what it can do, and the one
 * script of ours: lists of commands, each carried out wholly or not at all, if a record is still
 * what it was.
 */
import { createHash } from 'node:crypto';

type Argument = string | number | Buffer;

export interface RedisClient {
  call(command: string, ...args: (Argument | Argument[])[]): Promise<unknown>;
  callBuffer(command: string, ...args: (Argument | Argument[])[]): Promise<unknown>;
}

export type Command = readonly (string | number | Uint8Array)[];

/** What must hold for commands to be carried out. */
export type Guard =
  /** `next`: the version afterwards. */
  | { readonly key: string; readonly version: number; readonly next: number }
  /** The name is in neither. `seq`: the number that it stands for afterwards. */
  | { readonly ids: string; readonly ended: string; readonly id: string; readonly seq: number };

/** Commands that are carried out together, if the guard holds. */
export interface Guarded {
  readonly guard: Guard;
  readonly commands: readonly Command[];
}

/** `words`: of all the commands, one behind the other, so that there may be any number of them. */
const SCRIPT = `
local words, place = {}, 1
for length in string.gmatch(ARGV[1], '%d+') do
  words[#words + 1] = string.sub(ARGV[2], place, place + length - 1)
  place = place + length
end
local answers, i = {}, 1
while i <= #words do
  local kind, key, value, after, other = words[i], words[i + 1], words[i + 2], words[i + 3], words[i + 4]
  local now = redis.call('HGET', key, kind == 'version' and kind or value)
  local holds
  if kind == 'version' then
    holds = now == value
  else
    holds = not now and not redis.call('ZSCORE', other, value)
  end
  local stop = i + 6 + tonumber(words[i + 5])
  i = i + 6
  while holds and i < stop do
    local length = tonumber(words[i])
    redis.call(unpack(words, i + 1, i + length))
    i = i + length + 1
  end
  i = stop
  answers[#answers + 1] = (holds or now == after) and 1 or 0
end
return answers`;

/** Many hashes in one round trip: each command of its own costs the client a write to its socket. */
const READING = `
local found = {}
for i, key in ipairs(KEYS) do
  found[i] = redis.call('HMGET', key, unpack(ARGV))
end
return found`;

/** Fields of each of these hashes. */
export async function readFields(
  redis: RedisClient,
  keys: readonly string[],
  fields: readonly string[],
): Promise<(Buffer | null)[][]> {
  if (keys.length === 0) return [];
  const args = [keys.length, ...keys, ...fields];
  return await evaluate(READING, (...how) => redis.callBuffer(...how, ...args) as Promise<(Buffer | null)[][]>);
}

/** Names and values of a hash, members and scores of a set: in turn, or in whatever form a client gives RESP3's. */
export function pairsOf(answer: unknown): [string, string][] {
  const flat = (Array.isArray(answer) ? answer : Object.entries(answer as object)).flat() as string[];
  return flat.flatMap((name, i): [string, string][] => (i % 2 === 0 ? [[name, flat[i + 1] ?? '']] : []));
}

/** Of one script: nobody else is served while it runs. */
const MAX_WORDS = 50_000;

/**
 * Answers for each whether its guard held, now or when it was carried out before: a client that lost
 * the answer sends the script again. They are carried out one after the other, each as the one before
 * left things.
 */
export async function guarded(redis: RedisClient, steps: readonly Guarded[]): Promise<boolean[]> {
  const scripts: Argument[][] = [];
  for (const step of steps) {
    const words = wordsOf(step);
    const last = scripts.at(-1);
    if (last && last.length + words.length <= MAX_WORDS) for (const word of words) last.push(word);
    else scripts.push(words);
  }
  const [first] = steps;
  if (!first) return [];
  // One key says which node of a cluster has them all.
  const key = 'key' in first.guard ? first.guard.key : first.guard.ids;
  const answers = scripts.map((words) => {
    const bytes = words.map((word) => (Buffer.isBuffer(word) ? word : Buffer.from(String(word))));
    const args = [bytes.map(({ length }) => length).join(), Buffer.concat(bytes)];
    return evaluate(SCRIPT, (...how) => redis.call(...how, 1, key, ...args) as Promise<number[]>);
  });
  return (await Promise.all(answers)).flat().map((one) => one === 1);
}

function wordsOf({ guard, commands }: Guarded): Argument[] {
  const words: Argument[] =
    'key' in guard
      ? ['version', guard.key, guard.version, guard.next, '']
      : ['new', guard.ids, guard.id, guard.seq, guard.ended];
  const place = words.push(0) - 1;
  for (const command of commands) {
    words.push(command.length);
    for (const value of command) words.push(asArgument(value));
  }
  words[place] = words.length - place - 1;
  return words;
}

/** By the script's name, if the server has it. */
async function evaluate<T>(script: string, call: (command: string, script: string) => Promise<T>): Promise<T> {
  try {
    return await call('EVALSHA', shaOf(script));
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
    return await call('EVAL', script);
  }
}

const shas = new Map<string, string>();

function shaOf(script: string): string {
  const sha = shas.get(script) ?? createHash('sha1').update(script).digest('hex');
  shas.set(script, sha);
  return sha;
}

function asArgument(value: string | number | Uint8Array): Argument {
  return value instanceof Uint8Array && !Buffer.isBuffer(value) ? Buffer.from(value) : value;
}
