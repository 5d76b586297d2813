/**
 * A file of routes, whichever of the two forms it has: the text of an AsyncOS appliance, or the
 * definition of `defineRoutes` as JSON. Either way it is a table, or a list of problems with lines.
 */
import { defineRoutes, type RoutesDefinition } from '../core/define-routes.js';
import { RouteConfigError } from '../core/config-error.js';
import { parseSmtpRoutes } from '../core/parse-smtp-routes.js';
import type { RouteTable } from '../core/route-table.js';
import type { CommandContext } from './command-context.js';
import { FileProblem, nameOf, readText } from './read-text.js';
import { jsonMistakes, lineAt, linesOfPaths } from './json-lines.js';

/** What is wrong, or worth a look, and where. `path` within a JSON definition. */
export interface Finding {
  readonly line?: number;
  readonly path?: string;
  readonly message: string;
}

export interface RoutesFile {
  /** As messages call it. */
  readonly name: string;
  readonly form: 'asyncos' | 'json';
  readonly text: string;
  readonly table: RouteTable;
}

/** A file with problems has no table. */
export class BadRoutesFile extends Error {
  readonly file: string;
  readonly problems: readonly Finding[];

  constructor(file: string, problems: readonly Finding[]) {
    super(`${file} has problems`);
    this.file = file;
    this.problems = problems;
  }
}

/**
 * @throws {UsageError} if the file cannot be opened
 * @throws {BadRoutesFile} with everything that is wrong with it
 */
export async function readRoutesFile(file: string, { input }: CommandContext): Promise<RoutesFile> {
  const name = nameOf(file);
  try {
    const text = await readText(file, input);
    const form = isJson(file, text) ? 'json' : 'asyncos';
    const table = form === 'json' ? readDefinition(name, text) : readAsyncOS(name, text);
    return { name, form, text, table };
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    throw new BadRoutesFile(name, [{ message: error.message, ...(error.line !== undefined && { line: error.line }) }]);
  }
}

/** An AsyncOS line may begin with a bracket, but never with a brace. */
function isJson(file: string, text: string): boolean {
  return /^\s*\{/.test(text) || /\.json$/i.test(file);
}

function readAsyncOS(name: string, text: string): RouteTable {
  try {
    const table = parseSmtpRoutes(text);
    if (table.size === 0)
      throw new BadRoutesFile(name, [{ message: 'holds no route: a line is "domain destination[, destination]"' }]);
    return table;
  } catch (error) {
    if (!(error instanceof RouteConfigError)) throw error;
    const problems = error.problems.map(({ path, message }): Finding => ({
      line: Number(/^line (\d+)$/.exec(path)?.[1] ?? 1),
      message,
    }));
    throw new BadRoutesFile(name, [...looksLike(text, new Set(problems.map(({ line }) => line)).size), ...problems]);
  }
}

/** So many lines, and such a part of all, are no slips any more. */
const FEW = 3;
const MOST = 0.7;

/** A word on a file that is another thing altogether. */
function looksLike(text: string, badLines: number): Finding[] {
  const start = text.slice(0, 10_000);
  if (/^\s*\S+\s+(?:smtp|relay|lmtp|discard|error|local|virtual)?:(?:\[|\S|\s*$)/m.test(start))
    return [{ message: 'looks like a transport table of Postfix: try convert --from postfix-transport' }];
  if (/^\s*(?:import|export|const|module\.exports|\/\/|---|<[!?a-z])/m.test(start))
    return [
      {
        message:
          'looks like code or markup: the command reads AsyncOS text, or a JSON definition (JSON.stringify of what defineRoutes takes)',
      },
    ];
  const lines = text.split('\n').filter((line) => !/^\s*(?:#|$)/.test(line)).length;
  if (badLines >= FEW && badLines > lines * MOST)
    return [{ message: 'is it a table of routes? A line is "domain destination[, destination]"' }];
  return [];
}

function readDefinition(name: string, text: string): RouteTable {
  const mistakes = jsonMistakes(text).map(({ offset, message }): Finding => ({ line: lineAt(text, offset), message }));
  if (mistakes.length > 0) throw new BadRoutesFile(name, mistakes);
  try {
    return defineRoutes(JSON.parse(text) as RoutesDefinition);
  } catch (error) {
    if (!(error instanceof RouteConfigError)) throw error;
    throw new BadRoutesFile(name, withLines(text, error.problems));
  }
}

/** Problems of a definition, with the lines where their paths stand. */
export function withLines(
  text: string,
  problems: readonly { readonly path: string; readonly message: string }[],
): Finding[] {
  const lines = linesOfPaths(
    text,
    problems.map(({ path }) => path),
  );
  return problems.map(({ path, message }, i) => ({ line: lines[i] ?? 1, path, message }));
}
