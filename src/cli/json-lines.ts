/**
 * Where things stand in a JSON file. `JSON.parse` tells neither the line of a value, nor that a name
 * is given twice (the later silently wins, so half a table can be gone), and what it says of a mistake
 * quotes the text around it, which may be a password.
 */
import { relayPath } from '../core/define-relays.js';

/** A mistake: where, and what. The text itself is not repeated. */
export interface JsonMistake {
  readonly offset: number;
  readonly message: string;
}

type OnValue = (path: string, offset: number) => void;

/** The line of an offset, from 1. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) line += 1;
  return line;
}

/** What is wrong with a JSON text: its first mistake, or every name that stands twice in one object. */
export function jsonMistakes(text: string): JsonMistake[] {
  const walk = new JsonWalk(text, undefined);
  return walk.run();
}

/** The line of each path (`relays.eu1.port`, `routes[2].match`), or of the nearest that is there. */
export function linesOfPaths(text: string, paths: readonly string[]): number[] {
  const offsets = new Map<string, number>();
  const wanted = new Set(paths.flatMap(withParents));
  new JsonWalk(text, (path, offset) => {
    if (wanted.has(path)) offsets.set(path, offset);
  }).run();
  return paths.map((path) => {
    const nearest = withParents(path).find((one) => offsets.has(one)) ?? '';
    return lineAt(text, offsets.get(nearest) ?? 0);
  });
}

/** `a.b[0]`, `a.b`, `a`. */
function withParents(path: string): string[] {
  const parents = [path];
  for (let rest = path; rest !== ''; parents.push(rest))
    rest = rest.replace(/(?:^|\.)[^.[\]]*$|\[(?:\d+|"(?:[^"\\]|\\.)*")\]$|[^.[]*$/, '');
  return parents;
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// eslint-disable-next-line no-control-regex
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"/y;
const SPACE = /[ \t\r\n]*/y;
const WORD = /true|false|null/y;

/** Deeper than any definition, and shallow enough for the stack. */
const MAX_DEPTH = 200;

class Stop extends Error {}

class JsonWalk {
  readonly #text: string;
  readonly #onValue: OnValue | undefined;
  readonly #mistakes: JsonMistake[] = [];
  #at = 0;

  constructor(text: string, onValue: OnValue | undefined) {
    this.#text = text;
    this.#onValue = onValue;
  }

  run(): JsonMistake[] {
    try {
      this.#value('', 0);
      this.#space();
      if (this.#at < this.#text.length) this.#stop('expected the end of the file');
    } catch (error) {
      if (!(error instanceof Stop)) throw error;
    }
    return this.#mistakes;
  }

  #value(path: string, depth: number): void {
    this.#space();
    const { [this.#at]: first } = this.#text;
    if (first === '{') this.#object(path, depth);
    else if (first === '[') this.#array(path, depth);
    else if (first === '"') this.#string();
    else if (this.#match(NUMBER) === undefined && this.#match(WORD) === undefined) this.#stop('expected a value');
  }

  #object(path: string, depth: number): void {
    if (depth > MAX_DEPTH) this.#stop('is nested too deeply');
    const names = new Set<string>();
    this.#list('}', () => {
      this.#space();
      const offset = this.#at;
      const name = JSON.parse(this.#string()) as string;
      if (names.has(name))
        this.#mistakes.push({ offset, message: `${JSON.stringify(name)} stands twice in this object: remove one` });
      names.add(name);
      const child = this.#onValue ? childPath(path, name) : '';
      this.#onValue?.(child, offset);
      this.#space();
      if (this.#text[this.#at] !== ':') this.#stop('expected ":"');
      this.#at += 1;
      this.#value(child, depth + 1);
    });
  }

  #array(path: string, depth: number): void {
    if (depth > MAX_DEPTH) this.#stop('is nested too deeply');
    let index = 0;
    this.#list(']', () => {
      this.#space();
      const child = this.#onValue ? `${path}[${String(index)}]` : '';
      this.#onValue?.(child, this.#at);
      index += 1;
      this.#value(child, depth + 1);
    });
  }

  #list(end: string, item: () => void): void {
    this.#at += 1;
    this.#space();
    if (this.#text[this.#at] === end) {
      this.#at += 1;
      return;
    }
    for (;;) {
      item();
      this.#space();
      const { [this.#at]: next } = this.#text;
      if (next !== ',' && next !== end) this.#stop(`expected "," or "${end}"`);
      this.#at += 1;
      if (next === end) return;
      this.#space();
      if (this.#text[this.#at] === end) this.#stop('a comma stands before the end: remove it');
    }
  }

  #string(): string {
    return (
      this.#match(STRING) ??
      this.#stop(
        this.#text[this.#at] === '"'
          ? 'a string does not end, or holds a control character'
          : 'expected a name in double quotes',
      )
    );
  }

  #space(): void {
    this.#match(SPACE);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #stop(message: string): never {
    const here =
      this.#at >= this.#text.length
        ? ', but the file ends'
        : this.#text.startsWith('//', this.#at) || this.#text.startsWith('/*', this.#at)
          ? ': JSON has no comments'
          : '';
    this.#mistakes.push({ offset: this.#at, message: `is no JSON: ${message}${here}` });
    throw new Stop();
  }
}

/** As the problems of `defineRoutes` call it. */
function childPath(path: string, name: string): string {
  if (path === '') return name;
  return path === 'relays' ? relayPath(name) : `${path}.${name}`;
}
