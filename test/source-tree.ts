/** The files of src, parsed: what the rules of `architecture.test.ts` look at. */
import { readFileSync, readdirSync } from 'node:fs';
import { join, posix } from 'node:path';
import ts from 'typescript';
import { root } from '../.config/subpaths.js';

export interface Import {
  readonly specifier: string;
  readonly line: number;
  readonly typeOnly: boolean;
  /** The file of src that it means, if it is relative. */
  readonly target?: string;
}

export interface SourceFile {
  /** `src/core/classify.ts` */
  readonly path: string;
  readonly text: string;
  readonly nodes: readonly { readonly node: ts.Node; readonly line: number }[];
  readonly imports: readonly Import[];
}

export function readSourceTree(): SourceFile[] {
  return readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.[cm]?ts$/.test(name))
    .map((name) => posix.join('src', ...name.split(/[\\/]/)))
    .sort()
    .map(readSource);
}

function readSource(path: string): SourceFile {
  const text = readFileSync(join(root, path), 'utf8');
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const nodes: { node: ts.Node; line: number }[] = [];
  const visit = (node: ts.Node): void => {
    nodes.push({ node, line: tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1 });
    ts.forEachChild(node, visit);
  };
  visit(tree);
  const imports = nodes.flatMap(({ node, line }): Import[] => {
    const found = importOf(node);
    if (found === undefined) return [];
    const { specifier } = found;
    if (!specifier.startsWith('.')) return [{ ...found, line }];
    return [{ ...found, line, target: posix.join(posix.dirname(path), specifier).replace(/\.([cm]?)js$/, '.$1ts') }];
  });
  return { path, text, nodes, imports };
}

/** `import … from`, `export … from`, `import()`, `require()` and the type `import('…')`. */
function importOf(node: ts.Node): { specifier: string; typeOnly: boolean } | undefined {
  if (ts.isImportDeclaration(node)) return literal(node.moduleSpecifier, isTypeImport(node.importClause));
  if (ts.isExportDeclaration(node)) return literal(node.moduleSpecifier, node.isTypeOnly);
  if (ts.isImportTypeNode(node))
    return ts.isLiteralTypeNode(node.argument) ? literal(node.argument.literal, true) : undefined;
  if (!ts.isCallExpression(node)) return undefined;
  const loads = node.expression.kind === ts.SyntaxKind.ImportKeyword || node.expression.getText() === 'require';
  return loads ? literal(node.arguments[0], false) : undefined;
}

function literal(node: ts.Node | undefined, typeOnly: boolean): { specifier: string; typeOnly: boolean } | undefined {
  return node !== undefined && ts.isStringLiteralLike(node) ? { specifier: node.text, typeOnly } : undefined;
}

/** `import type …`, or `import { type … }` with nothing but types. */
function isTypeImport(clause: ts.ImportClause | undefined): boolean {
  if (clause === undefined) return false;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  if (clause.name !== undefined || clause.namedBindings === undefined) return false;
  return ts.isNamedImports(clause.namedBindings) && clause.namedBindings.elements.every(({ isTypeOnly }) => isTypeOnly);
}
