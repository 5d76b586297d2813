/**
 * The part of playwright-core that the tests use, by types of our own: its own declarations need those of
 * a browser, which would then hold for the whole project.
 */
import { spawnSync } from 'node:child_process';

interface Page {
  on(event: 'request', listener: (request: { url(): string }) => void): void;
  on(event: 'console', listener: (message: { text(): string }) => void): void;
  on(event: 'pageerror', listener: (error: Error) => void): void;
  goto(url: string): Promise<unknown>;
  evaluate(script: string): Promise<unknown>;
  close(): Promise<void>;
}

export interface Browser {
  newPage(): Promise<Page>;
  close(): Promise<void>;
}

interface Playwright {
  readonly chromium: { launch(options: { executablePath: string; args: readonly string[] }): Promise<Browser> };
}

/** Where chromium is; empty where it is not installed. */
export const chromiumPath: string = spawnSync('sh', ['-c', 'command -v chromium || command -v chromium-browser'], {
  encoding: 'utf8',
}).stdout.trim();

/** A test browser that asks nobody in the network for anything. */
const ARGS =
  '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync';

export async function launch(): Promise<Browser> {
  const name = 'playwright-core';
  const { chromium } = (await import(name)) as Playwright;
  return await chromium.launch({ executablePath: chromiumPath, args: ARGS.split(' ') });
}
