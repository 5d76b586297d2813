/**
 * On which line of its file a rule or a relay stands. A table does not keep that: a million lines
 * would cost more than the routes. So the text is read once more, for the few that are asked for.
 */
import { relayPath } from '../core/define-relays.js';
import { routeLines } from '../core/parse-smtp-routes.js';
import { canonicalPattern } from '../core/pattern.js';
import { linesOfPaths } from './json-lines.js';
import type { RoutesFile } from './routes-file.js';

export class RuleLines {
  readonly #file: RoutesFile;
  readonly #lines = new Map<string, number>();

  constructor(file: RoutesFile) {
    this.#file = file;
  }

  /** Looks for canonical matches, relay ids, or `otherwise`, in one go. */
  find(names: readonly string[]): void {
    if (names.length === 0) return;
    if (this.#file.form === 'json') this.#findInJson(names);
    else this.#findInText(new Set(names));
  }

  lineOf(name: string): number | undefined {
    return this.#lines.get(name);
  }

  #findInText(names: ReadonlySet<string>): void {
    const { text, table } = this.#file;
    const relays = new Set([...table.relays()].map(({ id }) => id).filter((id) => names.has(id)));
    for (const { number, domain, destinations } of routeLines(text)) {
      const match = names.has(domain) ? domain : canonicalPattern(domain);
      if (match !== undefined && names.has(match)) this.#note(match, number);
      for (const relay of relays) {
        if (!destinations.includes(relay)) continue;
        this.#note(relay, number);
        relays.delete(relay);
      }
    }
  }

  #findInJson(names: readonly string[]): void {
    const { text, table } = this.#file;
    const paths = new Map<string, string>();
    const wanted = new Set(names);
    const { routes } = JSON.parse(text) as { routes: { match: string | string[] }[] };
    for (const [i, { match }] of routes.entries()) {
      for (const [j, one] of [match].flat().entries()) {
        const canonical = canonicalPattern(one) ?? one;
        if (wanted.has(canonical))
          paths.set(canonical, `routes[${String(i)}].match${Array.isArray(match) ? `[${String(j)}]` : ''}`);
      }
    }
    for (const { id } of table.relays()) if (wanted.has(id) && !paths.has(id)) paths.set(id, relayPath(id));
    if (wanted.has('otherwise')) paths.set('otherwise', 'otherwise');
    const lines = linesOfPaths(text, [...paths.values()]);
    for (const [i, name] of [...paths.keys()].entries()) this.#note(name, lines[i] ?? 1);
  }

  #note(name: string, line: number): void {
    if (!this.#lines.has(name)) this.#lines.set(name, line);
  }
}
