/**
 * Promises that nobody awaits are the bug class of a mail library, so the rules are typed. The
 * layers of `layers.json` and the ban on clock and dice are repeated here for quick feedback;
 * test/architecture.test.ts holds them.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

const root = fileURLToPath(new URL('..', import.meta.url));
const layers = JSON.parse(readFileSync(new URL('layers.json', import.meta.url), 'utf8'));
const layerNames = Object.keys(layers).filter((name) => name !== 'index');

/** The files whose business it is to ask the clock and the dice, or whose timers belong to a socket. */
const MAY_ASK_TIME = ['src/delivery/system-clock.ts', 'src/testing/**', 'src/nodemailer/**'];
const ASK_INSTEAD = 'Time and dice are parameters: take a clock or a random function.';

/** The imports that a layer may not have, as patterns of `no-restricted-imports`. */
function forbiddenImports(name, { layers: allowed, typesOfLayers = [], packages, builtins }) {
  const forbidden = layerNames.filter((other) => !allowed.includes(other));
  const into = (names) => `^(\\.{1,2}/)+(${names.join('|')})/`;
  const outside = [...packages, ...builtins].map((id) => (id.endsWith('*') ? id.slice(0, -1) : `${id}(/|$)`));
  const typesOnly = forbidden.filter((other) => typesOfLayers.includes(other));
  const never = forbidden.filter((other) => !typesOfLayers.includes(other));
  return [
    { regex: into(never), message: `src/${name} may not import that layer.` },
    ...(typesOnly.length > 0
      ? [{ regex: into(typesOnly), allowTypeImports: true, message: `src/${name} may import types only from there.` }]
      : []),
    { regex: `^(?!\\.|${outside.join('|') || '$'})`, message: `src/${name} may not import that package or built-in.` },
  ];
}

const layerRules = Object.entries(layers).map(([name, layer]) => ({
  files: name === 'index' ? ['src/index.ts'] : [`src/${name}/**`],
  rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns: forbiddenImports(name, layer) }] },
}));

export default defineConfig(
  { ignores: ['**/dist/', '**/coverage/', '**/node_modules/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.ts'],
    extends: [js.configs.recommended, tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: root } },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', ignoreRestSiblings: true }],
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      eqeqeq: 'error',
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: MAY_ASK_TIME,
    rules: {
      'no-restricted-globals': [
        'error',
        ...['setTimeout', 'setInterval', 'performance'].map((name) => ({ name, message: ASK_INSTEAD })),
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: ASK_INSTEAD },
        { object: 'Math', property: 'random', message: ASK_INSTEAD },
        { object: 'AbortSignal', property: 'timeout', message: ASK_INSTEAD },
        ...['setTimeout', 'setInterval', 'performance'].map((property) => ({
          object: 'globalThis',
          property,
          message: ASK_INSTEAD,
        })),
      ],
      'no-restricted-syntax': [
        'error',
        { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: ASK_INSTEAD },
        { selector: "CallExpression[callee.name='Date']", message: ASK_INSTEAD },
        { selector: 'ImportDeclaration[source.value=/^node:(timers|perf_hooks)/]', message: ASK_INSTEAD },
      ],
    },
  },
  layerRules,
  {
    files: ['test/**/*.ts'],
    rules: {
      // Tests look into what they built, and hand wrong values in on purpose.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
    },
  },
  { files: ['**/*.js'], extends: [js.configs.recommended], languageOptions: { globals: { URL: 'readonly' } } },
);
