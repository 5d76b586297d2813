/**
 * The tests see `smtp-routes` by its public names, from the sources, and its peers in the version
 * that `peers.ts` says.
 */
import { join } from 'node:path';
import { defineConfig, type ViteUserConfig } from 'vitest/config';
import { ClosingLine } from './closing-line.js';
import { otherPeers } from './peers.js';
import { root, subpaths } from './subpaths.js';

const config: ViteUserConfig = defineConfig({
  root,
  resolve: {
    alias: [
      ...subpaths.map(({ name, source }) => ({ find: new RegExp(`^${name}$`), replacement: join(root, source) })),
      ...otherPeers.map(({ name, folder }) => ({ find: new RegExp(`^${name}(?=/|$)`), replacement: folder })),
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
