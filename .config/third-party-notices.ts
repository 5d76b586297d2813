/**
 * Writes the licence notice of every package that a build inlines. It reads what the bundler put
 * in, so a dependency that starts to be inlined cannot be forgotten.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** The part of a Rollup-style plugin that is used here. */
interface NoticesPlugin {
  readonly name: string;
  generateBundle(
    this: { emitFile(file: { type: 'asset'; fileName: string; source: string }): void },
    options: unknown,
    bundle: Readonly<Record<string, { readonly modules?: object }>>,
  ): void;
}

const INTRODUCTION = 'The CommonJS build of this package contains code of the following packages.';

export function thirdPartyNotices(fileName: string): NoticesPlugin {
  return {
    name: 'third-party-notices',
    generateBundle(_options, bundle) {
      const modules = Object.values(bundle).flatMap((file) => Object.keys(file.modules ?? {}));
      const notices = [...new Set(modules.flatMap(packageFolder))].sort().map(notice);
      if (notices.length > 0) {
        const rule = `\n\n${'-'.repeat(72)}\n\n`;
        this.emitFile({ type: 'asset', fileName, source: `${[INTRODUCTION, ...notices].join(rule)}\n` });
      }
    },
  };
}

function packageFolder(module: string): string[] {
  const folder = /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(module)?.[0];
  return folder === undefined ? [] : [folder];
}

function notice(folder: string): string {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, string>;
  const title = `${String(manifest['name'])} ${String(manifest['version'])} (${String(manifest['license'])})`;
  const file = readdirSync(folder).find((entry) => /^(licen[cs]e|copying)(\.|$)/i.test(entry));
  if (file === undefined) throw new Error(`${title} is inlined and has no licence file`);
  return `${title}\n\n${readFileSync(join(folder, file), 'utf8').trim()}`;
}
