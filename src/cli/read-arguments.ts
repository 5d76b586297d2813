/**
 * Options and operands of a subcommand, by `util.parseArgs`, with messages that say what to do.
 */
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { suggestion } from '../core/check-options.js';
import { UsageError } from './usage-error.js';

type Options = NonNullable<ParseArgsConfig['options']>;

/** Every command has these. */
export const COMMON_OPTIONS = { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const;

type Values<O extends Options> = ReturnType<
  typeof parseArgs<{ options: O; allowPositionals: true; strict: true; args: string[] }>
>['values'];

/** @throws {UsageError} for options that the command does not have */
export function readArguments<const O extends Options>(
  command: string,
  args: readonly string[],
  options: O,
): { readonly values: Values<O>; readonly operands: readonly string[] } {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
    return { values, operands: positionals };
  } catch (error) {
    throw new UsageError(explain(error, Object.keys(options)), command);
  }
}

function explain(error: unknown, known: readonly string[]): string {
  const { code, message } = error as { code?: string; message: string };
  if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') {
    const name = /'(-+[^'\s]*)/.exec(message)?.[1] ?? '';
    return `there is no option ${name}${suggestion(name.replace(/^-+/, ''), known)}`;
  }
  if (code === 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE')
    return (message.split(/[.\n]/)[0] ?? message).replace(/^Option/, 'option');
  throw error;
}

/** The only operand. @throws {UsageError} if it is missing or not alone */
export function onlyFile(command: string, operands: readonly string[]): string {
  const [file, extra] = operands;
  if (file === undefined) throw new UsageError(`which file? Give one, or - for standard input`, command);
  if (extra !== undefined) throw new UsageError(`one file at a time: what is ${JSON.stringify(extra)}?`, command);
  return file;
}

/** @throws {UsageError} if it is no whole number in this range */
export function wholeNumber(command: string, name: string, text: string, min: number, max: number): number {
  const number = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  if (number >= min && number <= max) return number;
  throw new UsageError(
    `--${name} must be a number from ${String(min)} to ${String(max)}, got ${JSON.stringify(text)}`,
    command,
  );
}

/** @throws {UsageError} if it is none of them */
export function oneOf<const T extends string>(command: string, name: string, text: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === text);
  if (found !== undefined) return found;
  throw new UsageError(
    `--${name} must be ${allowed.join(' or ')}, got ${JSON.stringify(text)}${suggestion(text, allowed)}`,
    command,
  );
}
