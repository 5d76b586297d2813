/**
 * Columns, aligned by hand: a table of a terminal is no reason for a dependency.
 */

/** Rows with their columns padded; a column whose title begins with `>` is aligned to the right. */
export function columns(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  indent: string = '  ',
): string[] {
  const names = titles.map((title) => title.replace(/^>/, ''));
  const all = [names, ...rows];
  const widths = names.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
  return all.map((row) => {
    const cells = row.map((cell, i) =>
      titles[i]?.startsWith('>') ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0),
    );
    return `${indent}${cells.join('  ')}`.trimEnd();
  });
}
