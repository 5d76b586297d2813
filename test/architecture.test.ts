/**
 * The rules of the source tree that no compiler holds: which layer may import which, where time,
 * dice and the meaning of reply codes live, and what a file looks like. Each rule lists its
 * offenders as `file:line what`, so a failure reads as a list of things to mend.
 */
import { existsSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import layers from '../.config/layers.json' with { type: 'json' };
import { root, subpaths } from '../.config/subpaths.js';
import { readSourceTree, type Import, type SourceFile } from './source-tree.js';

interface Layer {
  /** Folders of src that it may import from. */
  readonly layers: readonly string[];
  /** Folders of src that it may import types from. */
  readonly typesOfLayers?: readonly string[];
  readonly packages: readonly string[];
  /** `node:*` for all. */
  readonly builtins: readonly string[];
}

const LAYERS: Readonly<Record<string, Layer>> = layers;
const NOTHING: Layer = { layers: [], packages: [], builtins: [] };

/** The only file that may ask the clock and the dice; beside it the test kit and the timers of sockets. */
const MAY_ASK_TIME = ['src/delivery/system-clock.ts', 'src/testing/', 'src/nodemailer/'];

/** The only file that knows what reply codes mean; the test kit plays the server, which has to say them. */
const MAY_JUDGE_CODES = ['src/core/classify.ts', 'src/testing/'];

const MAX_LINES = 250;

const files = readSourceTree();

/** `core` for `src/core/…`, `index` for `src/index.ts`. */
function layerOf(path: string): string {
  const [, folder = '', inside] = path.split('/');
  return inside === undefined ? basename(folder, '.ts') : folder;
}

function importOffences(judge: (layer: Layer, one: Import) => boolean): string[] {
  return files.flatMap(({ path, imports }) =>
    imports
      .filter((one) => judge(LAYERS[layerOf(path)] ?? NOTHING, one))
      .map(({ line, specifier }) => `${path}:${String(line)} ${specifier}`),
  );
}

function nodeOffences(exempt: readonly string[], judge: (node: ts.Node) => boolean): string[] {
  const held = files.filter(({ path }) => !exempt.some((prefix) => path.startsWith(prefix)));
  return held.flatMap(({ path, nodes }) =>
    nodes
      .filter(({ node }) => judge(node))
      .map(({ node, line }) => `${path}:${String(line)} ${node.getText().split('\n')[0] ?? ''}`),
  );
}

describe('layers', () => {
  it('each folder of src is a layer of .config/layers.json', () => {
    expect(files.map(({ path }) => path).filter((path) => LAYERS[layerOf(path)] === undefined)).toEqual([]);
  });

  it('imports from other layers go inward only', () => {
    const found = importOffences((allowed, { target, typeOnly }) => {
      if (target === undefined || allowed.layers.includes(layerOf(target))) return false;
      return !(typeOnly && allowed.typesOfLayers?.includes(layerOf(target)));
    });
    expect(found).toEqual([]);
  });

  it('packages and built-in modules are those of the layer', () => {
    const found = importOffences(({ packages, builtins }, { specifier, target }) => {
      const names = [...packages, ...builtins];
      if (target !== undefined || (specifier.startsWith('node:') && names.includes('node:*'))) return false;
      return !names.some((name) => specifier === name || specifier.startsWith(`${name}/`));
    });
    expect(found).toEqual([]);
  });

  it('no file imports itself by way of others', () => {
    expect(cycles(files)).toEqual([]);
  });
});

/** Every cycle met in a depth-first walk, as `a → b → a`. */
function cycles(tree: readonly SourceFile[]): string[] {
  const next = new Map(tree.map(({ path, imports }) => [path, imports.flatMap(({ target }) => target ?? [])]));
  const found: string[] = [];
  const done = new Set<string>();
  const walk = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) found.push([...trail.slice(trail.indexOf(path)), path].join(' → '));
    else if (!done.has(path)) for (const target of next.get(path) ?? []) walk(target, [...trail, path]);
    done.add(path);
  };
  for (const { path } of tree) walk(path, []);
  return found;
}

describe('time, dice and codes', () => {
  const isNamed = (node: ts.Node, ...names: string[]): boolean => ts.isIdentifier(node) && names.includes(node.text);
  const isTimer = (node: ts.Node): boolean => isNamed(node, 'setTimeout', 'setInterval', 'performance');

  it('only the system clock asks the time or throws dice', () => {
    const found = nodeOffences(MAY_ASK_TIME, (node) => {
      if (ts.isPropertyAccessExpression(node)) {
        const global = isNamed(node.expression, 'globalThis', 'global') && isTimer(node.name);
        return global || ['Date.now', 'Math.random', 'AbortSignal.timeout'].includes(node.getText());
      }
      if (ts.isNewExpression(node)) return isNamed(node.expression, 'Date') && !node.arguments?.length;
      if (ts.isCallExpression(node)) return isNamed(node.expression, 'Date');
      if (ts.isStringLiteral(node)) return /^node:(timers|perf_hooks)/.test(node.text);
      return isTimer(node) && isReadAsVariable(node);
    });
    expect(found).toEqual([]);
  });

  /** Not a type, and not the name of a member, a property or a declaration. */
  function isReadAsVariable(node: ts.Node): boolean {
    const { name } = node.parent as { name?: ts.Node };
    return name !== node && !ts.isTypeQueryNode(node.parent);
  }

  const isCode = (node: ts.Node): boolean => ts.isNumericLiteral(node) && /^[2-5]\d\d$/.test(node.text);
  const isAboutReply = (node: ts.Node): boolean => /code|reply|status|response/i.test(node.getText());
  const isComparison = (node: ts.BinaryExpression): boolean => /^([=!]==?|[<>]=?)$/.test(node.operatorToken.getText());

  it('only core/classify.ts compares reply codes', () => {
    const found = nodeOffences(MAY_JUDGE_CODES, (node) => {
      if (ts.isCaseClause(node)) return isCode(node.expression);
      if (ts.isBinaryExpression(node) && isComparison(node)) {
        const { left, right } = node;
        return (isCode(left) && isAboutReply(right)) || (isCode(right) && isAboutReply(left));
      }
      // [421, 450].includes(…) and new Set([421, 450])
      return ts.isArrayLiteralExpression(node) && node.elements.length > 0 && node.elements.every(isCode);
    });
    expect(found).toEqual([]);
  });
});

describe('files', () => {
  it('exports have names', () => {
    const found = nodeOffences([], (node) => {
      if (ts.isExportAssignment(node) || node.kind === ts.SyntaxKind.DefaultKeyword) return true;
      return ts.isExportSpecifier(node) && node.name.text === 'default';
    });
    expect(found).toEqual([]);
  });

  it('a file is called after what it is about', () => {
    const vague = /^(utils?|helpers?|common|types?)\.[cm]?ts$/;
    expect(files.map(({ path }) => path).filter((path) => vague.test(basename(path)))).toEqual([]);
  });

  it(`no file has more than ${String(MAX_LINES)} lines`, () => {
    const long = files
      .map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n').length }))
      .filter(({ lines }) => lines > MAX_LINES);
    expect(long.map(({ path, lines }) => `${path}: ${String(lines)}`)).toEqual([]);
  });

  it('each file opens with a comment that says why it is there', () => {
    const bare = files.filter(({ text }) => !text.replace(/^#!.*\n/, '').startsWith('/*'));
    expect(bare.map(({ path }) => path)).toEqual([]);
  });
});

describe('public names', () => {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (file) => ts.sys.readFile(file));
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);

  it.each(subpaths)('$name is $source for the compiler and for tsx', ({ name, source }) => {
    expect(existsSync(join(root, source)), `${source} exists`).toBe(true);
    const resolved = ts.resolveModuleName(name, join(root, 'test/any.ts'), options, ts.sys).resolvedModule;
    expect(relative(root, resolved?.resolvedFileName ?? '').replaceAll('\\', '/')).toBe(source);
  });
});
