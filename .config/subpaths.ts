/**
 * The public subpaths and their source files, read from `exports` in package.json, so that the
 * build, the tests and the package checks follow one list.
 *
 * `./queue/bullmq` → `./dist/queue/bullmq/index.mjs` is built from `src/queue/bullmq/index.ts`.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

interface Manifest {
  readonly name: string;
  readonly exports: Readonly<Record<string, string | { readonly import: { readonly default: string } }>>;
}

/** The top of the repository. */
export const root: string = fileURLToPath(new URL('..', import.meta.url));

const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as Manifest;

/** One importable name: `smtp-routes/nodemailer`, `nodemailer/index` (below dist, no extension), `src/nodemailer/index.ts`. */
export interface Subpath {
  readonly name: string;
  readonly output: string;
  readonly source: string;
}

export const subpaths: readonly Subpath[] = Object.entries(manifest.exports).flatMap(([subpath, target]) => {
  if (typeof target === 'string') return [];
  const output = target.import.default.replace(/^\.\/dist\/(.+)\.mjs$/, '$1');
  return [{ name: manifest.name + subpath.slice(1), output, source: `src/${output}.ts` }];
});
