/**
 * What a thousand sends leave behind: nothing. And a process that has sent its mail ends by itself.
 */
import { execFile } from 'node:child_process';
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

function resources(): Record<string, number> {
  const count: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) count[name] = (count[name] ?? 0) + 1;
  return count;
}

it.each(['pool', 'no-pool'])('a script that sent its mail ends by itself (%s)', { timeout: 30_000 }, async (pool) => {
  const server = await startSmtpServer();
  const tsx = fileURLToPath(import.meta.resolve('tsx/cli'));
  const script = fileURLToPath(new URL('send-routed-and-end.ts', import.meta.url));
  const { stdout } = await run(
    process.execPath,
    [tsx, '--tsconfig', `${root}/tsconfig.json`, script, String(server.port), pool],
    { timeout: 20_000 },
  );
  expect(stdout).toBe('sent\n');
  expect(server.messages).toHaveLength(1);
  await server.close();
});
