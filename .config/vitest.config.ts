/**
 * The tests see `smtp-routes` by its public names, from the sources. With
 * SMTP_ROUTES_NODEMAILER=/folder/of/a/nodemailer the suite runs against that copy.
 */
import { join } from 'node:path';
import { defineConfig, type ViteUserConfig } from 'vitest/config';
import { ClosingLine } from './closing-line.js';
import { root, subpaths } from './subpaths.js';

const nodemailer = process.env['SMTP_ROUTES_NODEMAILER'];

const config: ViteUserConfig = defineConfig({
  root,
  resolve: {
    alias: [
      ...subpaths.map(({ name, source }) => ({ find: new RegExp(`^${name}$`), replacement: join(root, source) })),
      ...(nodemailer === undefined ? [] : [{ find: /^nodemailer(?=\/|$)/, replacement: nodemailer }]),
    ],
  },
  test: {
    include: ['test/**/*.test.ts', 'examples/testing/vitest.test.ts'],
    exclude: ['test/package/**'],
    isolate: false,
    testTimeout: 20_000,
    reporters: ['default', new ClosingLine()],
    coverage: { include: ['src/**'], reportsDirectory: 'coverage' },
    typecheck: { include: ['test/types/**/*.test-d.ts'], tsconfig: './tsconfig.json' },
  },
});

export default config;
