/**
 * `smtp-routes check`: every problem of a table, and what is legal and still looks like a slip.
 */
import { OK, PROBLEMS, type CommandContext } from './command-context.js';
import { findWarnings } from './find-warnings.js';
import { COMMON_OPTIONS, onlyFile, readArguments } from './read-arguments.js';
import { counted, reportFindings } from './report-findings.js';
import { readRoutesFile } from './routes-file.js';

export async function check(args: readonly string[], context: CommandContext): Promise<number> {
  const { values, operands } = readArguments('check', args, { ...COMMON_OPTIONS, strict: { type: 'boolean' } });
  const { out, err } = context;
  const file = await readRoutesFile(onlyFile('check', operands), context);
  const { table, name } = file;
  const warnings = findWarnings(file);
  const failed = values.strict === true && warnings.length > 0;
  const relays = [...table.relays()].length;
  if (values.json) {
    out.write(
      `${JSON.stringify({ ok: !failed, file: name, form: file.form, routes: table.size, relays, problems: [], warnings }, undefined, 2)}\n`,
    );
  } else {
    reportFindings(name, warnings, err, 'warning', 'yellow');
    const verdict = warnings.length === 0 ? out.paint('green', 'ok') : counted(warnings.length, 'warning');
    out.write(`${name}: ${counted(table.size, 'route')}, ${counted(relays, 'relay')}: ${verdict}\n`);
  }
  return failed ? PROBLEMS : OK;
}
