#!/usr/bin/env node
/**
 * `smtp-routes` as a process: streams, signals and the exit code. Everything else is in `run.ts`,
 * which a test can call.
 */
import process from 'node:process';
import type { WriteStream } from 'node:tty';
import { systemClock } from '../delivery/system-clock.js';
import type { CommandContext, TextOutput } from './command-context.js';
import { coloured, mayPaint, plain } from './paint.js';
import { run } from './run.js';

function outputOf(stream: NodeJS.WriteStream): TextOutput {
  const { isTTY: terminal = false, columns = 80 } = stream as Partial<WriteStream>;
  // A reader that has left, as `head` does, ends the command without a word.
  stream.on('error', () => process.exit(process.exitCode ?? 0));
  return {
    write: (text) => void stream.write(text),
    terminal,
    columns,
    paint: mayPaint(terminal, process.env) ? coloured : plain,
  };
}

const context: CommandContext = {
  out: outputOf(process.stdout),
  err: outputOf(process.stderr),
  input: process.stdin,
  clock: systemClock,
  dns: async () => (await import('../dns/index.js')).dnsLookup(),
};

process.on('SIGINT', () => {
  // The line of progress stays; the prompt should not stand behind it.
  if (context.err.terminal) process.stderr.write('\n');
  process.exit(130);
});

process.exitCode = await run(process.argv.slice(2), context);
