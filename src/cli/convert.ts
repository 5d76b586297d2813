/**
 * `smtp-routes convert`: a table in another form. What the target cannot say is listed, and the exit
 * code says so; the rest is written.
 */
import { RouteConfigError } from '../core/config-error.js';
import { defineRoutes, type RouteDefinition } from '../core/define-routes.js';
import { formatDestination, type Destination } from '../core/destination.js';
import { formatSmtpRoutes } from '../core/format-smtp-routes.js';
import { ALL } from '../core/pattern.js';
import type { SmtpVia } from '../core/relay.js';
import type { RouteTable } from '../core/route-table.js';
import { OK, PROBLEMS, type CommandContext } from './command-context.js';
import { readPostfixTransport, type PostfixRoute } from './postfix-transport.js';
import { COMMON_OPTIONS, oneOf, onlyFile, readArguments } from './read-arguments.js';
import { FileProblem, nameOf, readText } from './read-text.js';
import { counted, reportFindings } from './report-findings.js';
import { definitionOf } from './routes-definition.js';
import { BadRoutesFile, readRoutesFile, withLines, type Finding, type RoutesFile } from './routes-file.js';
import { UsageError } from './usage-error.js';

const NAME = 'convert';
const OPTIONS = {
  ...COMMON_OPTIONS,
  from: { type: 'string' },
  to: { type: 'string' },
  'parent-domain-matches': { type: 'boolean' },
} as const;

interface Source {
  readonly name: string;
  readonly table: RouteTable;
  readonly unsaid: readonly Finding[];
  /** The file of a table that can be read back as it is. */
  readonly file?: RoutesFile;
}

export async function convert(args: readonly string[], context: CommandContext): Promise<number> {
  const { values, operands } = readArguments(NAME, args, OPTIONS);
  if (values.to === undefined) throw new UsageError('--to is missing: json or asyncos', NAME);
  const to = oneOf(NAME, 'to', values.to, ['json', 'asyncos']);
  const from = values.from && oneOf(NAME, 'from', values.from, ['postfix-transport', 'asyncos', 'json']);
  const path = onlyFile(NAME, operands);
  const source =
    from === 'postfix-transport'
      ? await readPostfix(path, values['parent-domain-matches'] === true, context)
      : await readOwn(path, from, context);
  if (to === 'json' && source.file?.form === 'json')
    throw new UsageError(`${source.name} is a JSON definition already`, NAME);
  const { text, unsaid } = written(source, to);
  const { out, err } = context;
  if (values.json) {
    out.write(
      `${JSON.stringify({ ok: unsaid.length === 0, file: source.name, to, result: to === 'json' && text !== '' ? (JSON.parse(text) as object) : text, unsaid }, undefined, 2)}\n`,
    );
  } else {
    out.write(text);
    reportFindings(source.name, unsaid, err, 'not converted', 'yellow');
    if (unsaid.length > 0)
      err.write(
        `${counted(unsaid.length, 'thing')} could not be said in ${to}: see to the mail concerned before you use the result\n`,
      );
  }
  return unsaid.length === 0 ? OK : PROBLEMS;
}

async function readOwn(path: string, from: string | undefined, context: CommandContext): Promise<Source> {
  const file = await readRoutesFile(path, context);
  if (from !== undefined && from !== file.form)
    throw new UsageError(
      `${file.name} is ${file.form === 'json' ? 'a JSON definition' : 'AsyncOS text'}, not ${from}`,
      NAME,
    );
  return { name: file.name, table: file.table, unsaid: [], file };
}

async function readPostfix(path: string, parentMatches: boolean, { input }: CommandContext): Promise<Source> {
  const name = nameOf(path);
  try {
    const { routes, unsaid } = readPostfixTransport(await readText(path, input), parentMatches);
    if (routes.length === 0 && unsaid.length === 0)
      throw new FileProblem('holds no route: a line is "domain transport:nexthop"');
    return { name, table: tableOf(routes), unsaid };
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    throw new BadRoutesFile(name, [{ message: error.message, ...(error.line !== undefined && { line: error.line }) }]);
  }
}

/** Relays are called as AsyncOS text would write them, so that both targets agree. */
function tableOf(routes: readonly PostfixRoute[]): RouteTable {
  const relays: Record<string, SmtpVia> = {};
  const idOf = (destination: Destination): string => {
    const id = formatDestination(destination);
    relays[id] = { ...destination };
    return id;
  };
  const definitions = routes.map(({ match, action }): RouteDefinition => {
    if (typeof action === 'string') return { match, action };
    // A host named twice is tried once: the second time would come right after the first.
    return { match, tiers: [...new Set(action.map(idOf))].map((id) => [id]) };
  });
  return defineRoutes({ relays, routes: definitions });
}

function written(
  { table, unsaid, file }: Source,
  to: 'json' | 'asyncos',
): { text: string; unsaid: readonly Finding[] } {
  if (to === 'json') return { text: `${JSON.stringify(definitionOf(table), undefined, 2)}\n`, unsaid };
  try {
    return { text: formatSmtpRoutes(withoutDefault(table, file)), unsaid };
  } catch (error) {
    if (!(error instanceof RouteConfigError) || !file) throw error;
    // A table without its credentials or weights is another table: all or nothing.
    return {
      text: '',
      unsaid: file.form === 'json' ? withLines(file.text, error.problems.map(inDefinition(file))) : error.problems,
    };
  }
}

/** `* smtp:` says what AsyncOS text means without `ALL`, and cannot write. */
function withoutDefault(table: RouteTable, file: RoutesFile | undefined): RouteTable {
  if (file || table.rule(ALL)?.action !== 'mx') return table;
  const { relays, routes } = definitionOf(table);
  const others = (routes as RouteDefinition[]).flatMap((route): RouteDefinition[] => {
    const match = [route.match].flat().filter((one) => one !== ALL);
    return match.length === 0 ? [] : [{ ...route, match }];
  });
  return defineRoutes({ relays, routes: others });
}

/** A problem of `formatSmtpRoutes` is called by its match; in the file that is a path. */
function inDefinition({
  text,
}: RoutesFile): (problem: { readonly path: string; readonly message: string }) => { path: string; message: string } {
  const { routes } = JSON.parse(text) as { routes: { match: string | string[] }[] };
  return ({ path, message }) => {
    const index = routes.findIndex(({ match }) => [match].flat().includes(path));
    return index < 0 ? { path, message } : { path: `routes[${String(index)}]`, message };
  };
}
