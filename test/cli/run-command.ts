/** Runs a command within this process, and keeps what a terminal or a pipe would get. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock, type Clock } from '../../src/delivery/system-clock.js';
import type { DnsLookup } from 'smtp-routes';
import type { TextOutput } from '../../src/cli/command-context.js';
import { coloured, plain } from '../../src/cli/paint.js';
import { run } from '../../src/cli/run.js';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly input?: string;
  readonly terminal?: boolean;
  readonly dns?: DnsLookup;
  readonly clock?: Clock;
}

export async function runCommand(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { input = '', terminal = false, dns, clock = systemClock } = options;
  const texts = { out: '', err: '' };
  const output = (name: 'out' | 'err'): TextOutput => ({
    write: (text) => void (texts[name] += text),
    terminal,
    columns: 80,
    paint: terminal ? coloured : plain,
  });
  async function* stdin(): AsyncGenerator<Uint8Array> {
    yield await Promise.resolve(Buffer.from(input));
  }
  const code = await run(args, {
    out: output('out'),
    err: output('err'),
    input: stdin(),
    clock,
    ...(dns && { dns: () => Promise.resolve(dns) }),
  });
  return { code, ...texts };
}

/** A folder of files for one test file. */
export class Files {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'smtp-routes-cli-'));

  write(name: string, content: string | Uint8Array): string {
    const file = join(this.folder, name);
    writeFileSync(file, content);
    return file;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
