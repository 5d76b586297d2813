/**
 * `smtp-routes graph`: a table as a picture.
 */
import { OK, type CommandContext } from './command-context.js';
import { graphModel } from './graph-model.js';
import { mermaid } from './mermaid.js';
import { COMMON_OPTIONS, oneOf, onlyFile, readArguments } from './read-arguments.js';
import { readRoutesFile } from './routes-file.js';
import { svg } from './svg.js';

export async function graph(args: readonly string[], context: CommandContext): Promise<number> {
  const { values, operands } = readArguments('graph', args, {
    ...COMMON_OPTIONS,
    format: { type: 'string', default: 'svg' },
  });
  const format = oneOf('graph', 'format', values.format, ['svg', 'mermaid']);
  const { table, name } = await readRoutesFile(onlyFile('graph', operands), context);
  const model = graphModel(table);
  const { out } = context;
  if (values.json) out.write(`${JSON.stringify(model, undefined, 2)}\n`);
  else out.write(format === 'svg' ? svg(model, name) : mermaid(model));
  return OK;
}
