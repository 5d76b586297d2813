/**
 * What the README shows of the command is what the command prints.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { root } from '../../.config/subpaths.js';
import { Files, runCommand } from './run-command.js';

const files = new Files();
afterAll(() => files.remove());

const readme = readFileSync(join(root, 'README.md'), 'utf8');
const section = readme.slice(readme.indexOf('## The command'), readme.indexOf('## Speed'));

function fence(language: string): string {
  return new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'ms').exec(section)?.[1] ?? '';
}

/** Words of a shell line; single quotes hold one together. */
function words(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');
}

test('the console is true', async () => {
  const table = files.write('routes.txt', fence('text'));
  const shown = fence('console');
  const commands = [...shown.matchAll(/^\$ npx smtp-routes (.*)$/gm)].map(([, line]) => line ?? '');
  expect(commands.length).toBeGreaterThan(2);
  let printed = '';
  for (const line of commands) {
    const { out, err } = await runCommand(words(line).map((word) => (word === 'routes.txt' ? table : word)));
    printed += `$ npx smtp-routes ${line}\n${(err + out).replaceAll(table, 'routes.txt')}`;
  }
  expect(shown).toBe(printed.replace(/\n+$/, '\n'));
});

test('every command and no other is in the table', () => {
  const named = [...section.matchAll(/^\| `(\w+) /gm)].map(([, name]) => name);
  expect(named).toEqual(['check', 'explain', 'simulate', 'convert', 'graph', 'probe']);
});
