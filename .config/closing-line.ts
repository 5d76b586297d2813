/**
 * A vitest reporter that ends a run with one line for machines and people: `N passed, N failed`,
 * and `, N skipped` if any were. A file that does not load and an error outside any test count as
 * failed, so the line never says 0 failed of a run that failed.
 */
import type { Reporter, SerializedError, TestModule } from 'vitest/node';

export class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        counts[state === 'pending' ? 'failed' : state] += 1;
      }
      const suites = [module, ...module.children.allSuites()];
      counts.failed += suites.filter((suite) => suite.errors().length > 0).length;
    }
    const skipped = counts.skipped > 0 ? `, ${String(counts.skipped)} skipped` : '';
    process.stdout.write(`${String(counts.passed)} passed, ${String(counts.failed)} failed${skipped}\n`);
  }
}
