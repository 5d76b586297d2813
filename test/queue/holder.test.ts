/**
 * Whether the holder of a claim is dead, by what the system tells of real processes.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { isDeadHere, newHolder } from '../../src/queue/holder.js';
import { until } from './until.js';

const onLinux = test.skipIf(!existsSync('/proc/self/stat'));

/** A holder that is another process, started when it was. */
function holderOf(pid: number): string {
  const start = (of: number): string => {
    const stat = readFileSync(`/proc/${String(of)}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  };
  return newHolder()
    .replace(` ${String(process.pid)} `, ` ${String(pid)} `)
    .replace(`/${start(process.pid)} `, `/${start(pid)} `);
}

test('this process lives', () => {
  expect(isDeadHere(newHolder())).toBe(false);
});

test('one that has ended is dead; those of other hosts may live', () => {
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  const holder = newHolder().replace(` ${String(process.pid)} `, ` ${String(pid)} `);
  expect(isDeadHere(holder)).toBe(true);
  expect(isDeadHere(holder.replace(/^\S+/, 'elsewhere/'))).toBe(false);
});

onLinux('one that has ended and that nobody asks how is dead as well, whatever it was called', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'smtp-routes-holder-'));
  const name = join(folder, 'a) R 1 (b');
  writeFileSync(name, '#!/bin/sh\nread line\n', { mode: 0o755 });
  // The shell becomes a program that never asks how its child has ended.
  const shell = spawn('sh', ['-c', `exec 3<&0; '${name}' <&3 & echo $!; exec sleep 60`], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  onTestFinished(() => {
    shell.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  let said = '';
  shell.stdout.on('data', (piece: Buffer) => (said += String(piece)));
  await until(() => said.includes('\n'));
  const pid = Number(said);
  const stat = (): string => readFileSync(`/proc/${String(pid)}/stat`, 'latin1');
  await until(() => stat().includes('(a) R 1 (b)'));
  const holder = holderOf(pid);
  expect(isDeadHere(holder)).toBe(false);
  shell.stdin.write('\n');
  await until(() => stat().includes(') Z '));
  expect(isDeadHere(holder)).toBe(true);
});

onLinux('another process that has got its number does not make it live', () => {
  const holder = holderOf(process.pid);
  expect(isDeadHere(holder.replace(/\/\d+ (?=\S+$)/, '/1 '))).toBe(true);
});
