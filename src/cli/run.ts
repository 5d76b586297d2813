/**
 * Finds the subcommand, runs it, and turns whatever goes wrong into a line and an exit code. A
 * subcommand is loaded when it is called: `explain` should not wait for what draws pictures.
 */
import { suggestion } from '../core/check-options.js';
import { RouteConfigError } from '../core/config-error.js';
import { OK, PROBLEMS, WRONG_USE, type CommandContext } from './command-context.js';
import { HELP, OVERVIEW } from './help.js';
import { reportFindings } from './report-findings.js';
import { BadRoutesFile } from './routes-file.js';
import { UsageError } from './usage-error.js';
import { version } from './version.js';

type Command = (args: readonly string[], context: CommandContext) => Promise<number> | number;

const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  check: async () => (await import('./check.js')).check,
  explain: async () => (await import('./explain.js')).explain,
  simulate: async () => (await import('./simulate.js')).simulateCommand,
  convert: async () => (await import('./convert.js')).convert,
  graph: async () => (await import('./graph.js')).graph,
  probe: async () => (await import('./probe.js')).probe,
};

/** Resolves with the exit code: 0, 1 where problems were found, 2 for wrong use. */
export async function run(args: readonly string[], context: CommandContext): Promise<number> {
  const [name, ...rest] = args;
  const { out, err } = context;
  if (name === '--version' || name === '-V') {
    out.write(`${version()}\n`);
    return OK;
  }
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const topic = name === 'help' ? rest[0] : undefined;
    const text = topic === undefined ? OVERVIEW : HELP[topic];
    if (text === undefined) return wrongUse(err, new UsageError(noCommand(topic ?? '')));
    (name === undefined ? err : out).write(text);
    return name === undefined ? WRONG_USE : OK;
  }
  try {
    const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (!load) throw new UsageError(noCommand(name));
    if (wantsHelp(rest)) {
      out.write(HELP[name] ?? OVERVIEW);
      return OK;
    }
    const command = await load();
    return await command(rest, context);
  } catch (error) {
    return failed(error, rest, context);
  }
}

function wantsHelp(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return args.slice(0, end < 0 ? args.length : end).some((arg) => arg === '--help' || arg === '-h');
}

function noCommand(name: string): string {
  const known = Object.keys(COMMANDS);
  const about = name.startsWith('-') ? `option ${name}` : `command ${JSON.stringify(name)}`;
  return `there is no ${about}${suggestion(name, known)}. Commands: ${known.join(', ')}`;
}

function failed(error: unknown, args: readonly string[], { out, err }: CommandContext): number {
  if (error instanceof UsageError) return wrongUse(err, error);
  if (error instanceof BadRoutesFile) {
    if (args.includes('--json'))
      out.write(`${JSON.stringify({ ok: false, file: error.file, problems: error.problems }, undefined, 2)}\n`);
    else reportFindings(error.file, error.problems, err, 'error', 'red');
    return PROBLEMS;
  }
  if (error instanceof RouteConfigError)
    return wrongUse(err, new UsageError(error.problems.map(({ path, message }) => `${path}: ${message}`).join('; ')));
  // A fault of ours. The stack helps whoever mends it, and nobody else.
  err.write(
    `smtp-routes: ${error instanceof Error ? error.message : String(error)} (this is a bug; DEBUG=smtp-routes:cli shows where)\n`,
  );
  if (error instanceof Error && (process.env['DEBUG'] ?? '').includes('smtp-routes'))
    err.write(`${error.stack ?? ''}\n`);
  return WRONG_USE;
}

function wrongUse(err: CommandContext['err'], { message, command }: UsageError): number {
  err.write(`smtp-routes: ${message}\nTry: smtp-routes ${command === undefined ? '' : `${command} `}--help\n`);
  return WRONG_USE;
}
