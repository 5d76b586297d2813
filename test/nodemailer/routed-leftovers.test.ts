/**
 * What a thousand sends leave behind: nothing. And a process that has sent its mail ends by itself.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startSmtpServer } from 'smtp-routes/testing';
import { expect, it } from 'vitest';
import { root } from '../docs/run-typescript.js';
import { MAIL, withRouted } from './routed.js';

const run = promisify(execFile);

it('1,000 sends leave no socket, timer or listener', { timeout: 60_000 }, async () => {
  await withRouted({ first: { keep: 'counts' }, via: { pool: true } }, async ({ transporter, transport, first }) => {
    const controller = new AbortController();
    const send = (): Promise<unknown> => transporter.sendMail({ ...MAIL, signal: controller.signal });
    await send();
    const before = resources();
    for (let i = 0; i < 50; i++) await Promise.all(Array.from({ length: 20 }, send));
    await new Promise((resolve) => setImmediate(resolve));
    expect(first.accepted).toBe(1001);
    // The pool's five connections, and what closes them when they have been idle.
    const after = resources();
    expect(after['TCPSocketWrap'] ?? 0).toBeLessThanOrEqual((before['TCPSocketWrap'] ?? 0) + 2 * 4);
    expect(after['Timeout'] ?? 0).toBeLessThanOrEqual((before['Timeout'] ?? 0) + 4 * 4);
    expect(transport.eventNames().map((name) => transport.listenerCount(name))).toEqual(
      transport.eventNames().map(() => 1),
    );
    await transport.close();
    await first.until(({ open }) => open === 0);
    expect(resources()['TCPSocketWrap'] ?? 0).toBeLessThanOrEqual(before['TCPSocketWrap'] ?? 0);
  });
});

it('a message of 50 MB goes through with memory for a part of it', { timeout: 60_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'smtp-routes-test-'));
  const file = join(folder, 'large.bin');
  writeFileSync(file, Buffer.alloc(50 * MIB, 'abcdefg'));
  const server = await startSmtpServer({ keep: 'counts' });
  try {
    const { stdout } = await runScript('send-large-and-measure.ts', String(server.port), file);
    // In base64 it has 69 MiB; what is seen is mostly garbage that nobody has collected yet.
    expect(JSON.parse(stdout)).toMatchObject({ accepted: ['user@example.com'] });
    expect((JSON.parse(stdout) as { mostBytes: number }).mostBytes).toBeLessThan(60 * MIB);
  } finally {
    await server.close();
    rmSync(folder, { recursive: true });
  }
});

const MIB = 2 ** 20;

/** In a process of its own, with `smtp-routes` meaning the sources. */
function runScript(name: string, ...args: readonly string[]): Promise<{ stdout: string }> {
  const tsx = fileURLToPath(import.meta.resolve('tsx/cli'));
  const script = fileURLToPath(new URL(name, import.meta.url));
  return run(process.execPath, [tsx, '--tsconfig', `${root}/tsconfig.json`, script, ...args], { timeout: 40_000 });
}

function resources(): Record<string, number> {
  const count: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) count[name] = (count[name] ?? 0) + 1;
  return count;
}

it.each(['pool', 'no-pool'])('a script that sent its mail ends by itself (%s)', { timeout: 30_000 }, async (pool) => {
  const server = await startSmtpServer();
  const { stdout } = await runScript('send-routed-and-end.ts', String(server.port), pool);
  expect(stdout).toBe('sent\n');
  expect(server.messages).toHaveLength(1);
  await server.close();
});
