/** The package as users get it: the tarball is packed and installed, so these run by themselves, after a build. */
import { defineConfig, type ViteUserConfig } from 'vitest/config';
import { ClosingLine } from './closing-line.js';
import { root } from './subpaths.js';

const config: ViteUserConfig = defineConfig({
  root,
  test: {
    include: ['test/package/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 300_000,
    reporters: ['default', new ClosingLine()],
  },
});

export default config;
