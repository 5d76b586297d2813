/**
 * What the command line asks for.
 */

export interface BenchOptions {
  /** Fewer and shorter rounds, for a first look. */
  readonly quick: boolean;
}

export interface CommandLine extends BenchOptions {
  /** Missed targets fail the command. */
  readonly check: boolean;
  /** Which benches; none for all. */
  readonly names: readonly string[];
}

/** @throws {TypeError} for a flag or a name that is not known */
export function readCommandLine(args: readonly string[], known: readonly string[]): CommandLine {
  const names = args.filter((arg) => !arg.startsWith('--'));
  const wrong = args.find((arg) => !['--quick', '--check', ...known].includes(arg));
  if (wrong !== undefined) {
    throw new TypeError(`unknown: ${wrong}; npm run bench -- [--quick] [--check] [${known.join(' | ')} …]`);
  }
  return { names, quick: args.includes('--quick'), check: args.includes('--check') };
}
