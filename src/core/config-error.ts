/**
 * Wrong definitions, options and route text are refused once, with every problem found, so that
 * nobody fixes them one restart at a time.
 */

/** One thing wrong: where (`relays.eu1.port`, `routes[2].match`, `line 7`) and what to do about it. */
export interface ConfigProblem {
  readonly path: string;
  readonly message: string;
}

/** Thrown at construction for a wrong definition, option or text. A `TypeError`: fix the program or its configuration. */
export class RouteConfigError extends TypeError {
  readonly code = 'ERR_SMTP_ROUTES_CONFIG';
  readonly problems: readonly ConfigProblem[];

  constructor(subject: string, problems: readonly ConfigProblem[]) {
    const lines = problems.map(({ path, message }) => `  ${path}: ${message}`);
    super(`${subject}: ${String(problems.length)} problem${problems.length === 1 ? '' : 's'}\n${lines.join('\n')}`);
    this.name = 'RouteConfigError';
    this.problems = problems;
  }
}

/** Collects problems while a check goes on; throws them together at the end. */
export class Problems {
  readonly #found: ConfigProblem[] = [];

  add(path: string, message: string): void {
    this.#found.push({ path, message });
  }

  get count(): number {
    return this.#found.length;
  }

  /** @throws {RouteConfigError} if anything was added. */
  throwIfAny(subject: string): void {
    if (this.#found.length > 0) throw new RouteConfigError(subject, this.#found);
  }
}
