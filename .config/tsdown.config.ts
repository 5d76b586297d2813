/**
 * Two builds of the same entries, and the command as ES modules. The ESM build imports its dependencies. The CommonJS build
 * inlines p-retry, which is ESM only: Jest on Node 20 cannot load an ESM-only package, not even
 * as a dependency of a dependency.
 *
 * Plain objects, without `defineConfig`: the types of tsdown want optional packages of its own.
 */
import { root, subpaths } from './subpaths.js';
import { thirdPartyNotices } from './third-party-notices.js';

const INLINED = ['p-retry', 'is-network-error'];

const shared = {
  cwd: root,
  entry: Object.fromEntries(subpaths.map(({ output, source }) => [output, source])),
  outDir: 'dist',
  target: 'node20.19',
  dts: true,
  // The declarations keep them, where editors read them.
  outputOptions: { comments: { jsdoc: false } },
  hash: false,
  logLevel: 'warn',
  checks: { legacyCjs: false },
};

const builds: object[] = [
  { ...shared, entry: { ...shared.entry, 'cli/main': 'src/cli/main.ts' }, format: 'esm', deps: { onlyBundle: [] } },
  {
    ...shared,
    format: 'cjs',
    // What is loaded late is required late: Jest has no import() in CommonJS.
    outputOptions: { ...shared.outputOptions, dynamicImportInCjs: false },
    deps: { alwaysBundle: INLINED, onlyBundle: INLINED },
    plugins: [thirdPartyNotices('THIRD-PARTY-NOTICES.txt')],
  },
];

export default builds;
