import { afterAll, expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { HELP, OVERVIEW } from '../../src/cli/help.js';
import { Files, runCommand } from './run-command.js';

const files = new Files();
afterAll(() => files.remove());
const routes = files.write(
  'routes.txt',
  'example.com exchange1.example.com, [exchange2.example.com]\n.example.com USEDNS\nALL smarthost.example.net\n',
);

test('the overview, in each way to ask for it', async () => {
  for (const args of [['--help'], ['-h'], ['help']])
    expect(await runCommand(args)).toEqual({ code: 0, out: OVERVIEW, err: '' });
  expect(await runCommand([])).toEqual({ code: 2, out: '', err: OVERVIEW });
  expect(Object.keys(HELP).filter((name) => !OVERVIEW.includes(`\n  ${name}`))).toEqual([]);
  expect(await runCommand(['--version'])).toEqual({ code: 0, out: `${manifest.version}\n`, err: '' });
});

test.each(Object.entries(HELP))('%s explains itself, and its example works', async (name, help) => {
  for (const args of [
    [name, '--help'],
    [name, '-', '-h'],
    ['help', name],
  ])
    expect(await runCommand(args)).toEqual({ code: 0, out: help, err: '' });
  const [, example = ''] = /Example:\n {2}smtp-routes (.*)\n$/.exec(help) ?? [];
  // That one opens connections, and has tests of its own.
  if (name === 'probe') return;
  const args = example
    .replace(/ > .*/, '')
    .split(' ')
    .map((word) => (word === 'routes.txt' ? routes : word));
  const { code, out } = await runCommand(args);
  expect(code).toBe(0);
  expect(out.length).toBeGreaterThan(20);
});

test('every option of a command stands in its help', async () => {
  for (const [name, help] of Object.entries(HELP)) {
    const options = [...help.matchAll(/^ {2}--([a-z-]+)/gm)].map(([, option]) => option);
    expect(options).toContain('json');
    for (const option of options) {
      const { err } = await runCommand([name, `--${option ?? ''}`, '--no-such-option-at-all']);
      expect(err).not.toContain(`no option --${option ?? ''}\n`);
    }
  }
});
