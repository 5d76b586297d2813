/** What is in the tarball, and what its files import. Needs `dist/`: `npm run test:package` builds it first. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { gzipSync } from 'node:zlib';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root, subpaths } from '../../.config/subpaths.js';
import { pack, run, tool } from './commands.js';

/**
 * Bytes, compressed: 173 kB of modules and 151 kB of the same as CommonJS, both without comments, 38 kB
 * of declarations, and the README. The core counts with every file that `import 'smtp-routes'` loads,
 * dependencies apart.
 */
const TARBALL_BUDGET = 420_000;
const CORE_BUDGET = 36_000;

let folder: string;
let tarball: string;
let files: string[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'smtp-routes-tarball-'));
  ({ tarball, files } = await pack(folder));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Follows relative imports from a built file; answers the files and what they import from outside. */
function loadedBy(entry: string): { files: string[]; packages: string[] } {
  const loaded = new Set<string>();
  const outside = new Set<string>();
  const visit = (file: string): void => {
    if (loaded.has(file)) return;
    loaded.add(file);
    const { importedFiles } = ts.preProcessFile(readFileSync(join(root, file), 'utf8'), true, true);
    for (const { fileName } of importedFiles) {
      if (!fileName.startsWith('.')) outside.add(fileName);
      else visit(posix.join(posix.dirname(file), typeFile(file, fileName)));
    }
  };
  visit(entry);
  return { files: [...loaded], packages: [...outside].filter((name) => !name.startsWith('node:')).sort() };
}

/** In a declaration, `./x.mjs` means `./x.d.mts`. */
function typeFile(importer: string, specifier: string): string {
  return /\.d\.[cm]ts$/.test(importer) ? specifier.replace(/\.([cm])js$/, '.d.$1ts') : specifier;
}

describe('the tarball', () => {
  it('holds the builds, the licence, the notices and the texts, and nothing else', () => {
    const builds = subpaths.flatMap(({ output }) =>
      ['mjs', 'cjs', 'd.mts', 'd.cts'].map((extension) => `dist/${output}.${extension}`),
    );
    const texts = ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json', 'dist/THIRD-PARTY-NOTICES.txt'];
    expect(files).toEqual(expect.arrayContaining([...builds, ...texts]));
    const strange = files.filter((file) => !texts.includes(file) && !/^dist\/[\w/-]+(\.d)?\.[cm][jt]s$/.test(file));
    expect(strange).toEqual([]);
  });

  it('stays small', () => {
    expect(statSync(tarball).size).toBeLessThan(TARBALL_BUDGET);
    const core = loadedBy('dist/index.mjs').files.map((file) => readFileSync(join(root, file)));
    expect(gzipSync(Buffer.concat(core)).length).toBeLessThan(CORE_BUDGET);
  });

  it('carries the licence of what the CommonJS build inlines', () => {
    const notices = readFileSync(join(root, 'dist/THIRD-PARTY-NOTICES.txt'), 'utf8');
    expect(notices.match(/^\S+ \d+\.\d+\.\d+ \(\S+\)$/gm)?.map((title) => title.split(' ')[0])).toEqual([
      'is-network-error',
      'p-retry',
    ]);
    expect(notices).toContain('Permission is hereby granted');
  });

  it('passes publint', async () => {
    await run(folder, [tool('publint'), 'run', tarball, '--strict']);
  });

  it('has right types for each way to resolve them', async () => {
    await run(folder, [tool('attw'), tarball, '--no-definitely-typed']);
  });
});

describe('imports of the builds', () => {
  it('the core needs debug, and p-retry as a module only; never nodemailer', () => {
    expect(loadedBy('dist/index.mjs').packages).toEqual(['debug', 'p-retry']);
    expect(loadedBy('dist/index.cjs').packages).toEqual(['debug']);
  });

  // Not those of nodemailer either: 8 and 9 bring none of their own.
  it('no declaration needs the types of another package', () => {
    const declarations = subpaths.flatMap(({ output }) => [`dist/${output}.d.mts`, `dist/${output}.d.cts`]);
    expect(declarations.flatMap((file) => loadedBy(file).packages)).toEqual([]);
  });

  it.each(['mjs', 'cjs'])('nodemailer is imported by the paths that 8, 9 and 10 all have (%s)', (extension) => {
    const entry = `dist/nodemailer/index.${extension}`;
    expect(existsSync(join(root, entry))).toBe(true);
    const ours = loadedBy(entry).packages.filter((name) => name.startsWith('nodemailer'));
    expect(ours).toContain('nodemailer/lib/smtp-connection/index.js');
    expect(ours.filter((name) => !/^nodemailer\/lib\/[a-z0-9-]+\/index\.js$/.test(name))).toEqual([]);
  });
});
