/**
 * `smtp-routes simulate`: the test kit's simulation, on a table from a file, as a page of text.
 */
import { ALL } from '../core/pattern.js';
import { RouteConfigError } from '../core/config-error.js';
import type { RouteTable } from '../core/route-table.js';
import { parseScriptLine } from '../testing/script.js';
import type { Script } from '../testing/scripted-sessions.js';
import { seededRandom } from '../testing/seeded-random.js';
import { simulate } from '../testing/simulate.js';
import type { Simulation } from '../testing/simulation.js';
import { OK, type CommandContext } from './command-context.js';
import { COMMON_OPTIONS, onlyFile, readArguments, wholeNumber } from './read-arguments.js';
import { readRoutesFile } from './routes-file.js';
import { simulationText } from './simulation-text.js';
import { UsageError } from './usage-error.js';

const NAME = 'simulate';
const OPTIONS = {
  ...COMMON_OPTIONS,
  down: { type: 'string', multiple: true },
  reply: { type: 'string', multiple: true },
  domain: { type: 'string', multiple: true },
  messages: { type: 'string', default: '1000' },
  seed: { type: 'string', default: '1' },
} as const;

/** More would fill the memory with outcomes that nobody reads. */
const MAX_MESSAGES = 100_000;

export async function simulateCommand(args: readonly string[], context: CommandContext): Promise<number> {
  const { values, operands } = readArguments(NAME, args, OPTIONS);
  const messages = wholeNumber(NAME, 'messages', values.messages, 1, MAX_MESSAGES);
  const seed = wholeNumber(NAME, 'seed', values.seed, 0, 2 ** 31);
  const script = scriptOf(values.reply ?? []);
  const { table } = await readRoutesFile(onlyFile(NAME, operands), context);
  const to = values.domain ?? [firstDomain(table)];
  const run = await simulated(table, { messages, to, down: values.down ?? [], script, random: seededRandom(seed) });
  const { out } = context;
  if (values.json) {
    const { outcomes, ...counts } = run;
    out.write(`${JSON.stringify({ to, ...counts, first: outcomes[0] }, undefined, 2)}\n`);
  } else out.write(simulationText(table, to, run, out));
  return OK;
}

async function simulated(...[table, options]: Parameters<typeof simulate>): Promise<Simulation> {
  try {
    return await simulate(table, options);
  } catch (error) {
    if (!(error instanceof RouteConfigError)) throw error;
    throw new UsageError(
      error.problems.map(({ path, message }) => `--${path === 'script' ? 'reply' : path}: ${message}`).join('\n'),
      NAME,
    );
  }
}

/** `exchange2=450@rcpt greylisted`, several for one relay in the order given. @throws {UsageError} */
function scriptOf(replies: readonly string[]): Record<string, Script> {
  const lines = new Map<string, string[]>();
  for (const reply of replies) {
    const [, relay, line] = /^([^=]+)=(.+)$/s.exec(reply) ?? [];
    if (relay === undefined || line === undefined)
      throw new UsageError(
        `--reply must be RELAY=LINE, such as exchange2=450@rcpt, got ${JSON.stringify(reply)}`,
        NAME,
      );
    try {
      parseScriptLine(line);
    } catch (error) {
      throw new UsageError(`--reply ${reply}: ${(error as Error).message}`, NAME);
    }
    lines.set(relay, [...(lines.get(relay) ?? []), line]);
  }
  return Object.fromEntries([...lines].map(([relay, always]) => [relay, { always }]));
}

/** A domain that the first rule with relays matches. */
function firstDomain(table: RouteTable): string {
  for (const { name, action } of table.rules()) {
    if (action !== 'relay' || name === ALL) continue;
    return name.startsWith('.') ? `host${name}` : name;
  }
  return 'example.com';
}
