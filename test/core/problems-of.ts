/** What a refused definition, option or text is told, as `path: message` lines. */
import { RouteConfigError } from '../../src/core/config-error.js';

export function problemsOf(build: () => unknown): string[] {
  try {
    build();
  } catch (error) {
    if (error instanceof RouteConfigError) return error.problems.map(({ path, message }) => `${path}: ${message}`);
    throw error;
  }
  return [];
}
