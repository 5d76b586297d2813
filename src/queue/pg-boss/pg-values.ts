/**
 * Many rows as the parameters of one statement, so that a batch costs one round trip and is planned
 * once. Not as arrays: those go as text, in which every quote of a record is escaped.
 */

export interface Values {
  /** `($1::bigint, $2::text), ($3, $4)`: the types of the first row are all rows'. */
  readonly text: string;
  readonly values: unknown[];
}

export function valuesOf(types: readonly string[], rows: readonly (readonly unknown[])[]): Values {
  const text = rows.map((_row, i) => {
    const cells = types.map((type, k) => `$${String(i * types.length + k + 1)}${i === 0 ? `::${type}` : ''}`);
    return `(${cells.join(',')})`;
  });
  return { text: text.join(', '), values: rows.flat() };
}

/** The protocol counts the parameters of a statement in 16 bits. */
const MAX_PARAMETERS = 65_535;

/** The same for any number of rows, in as many statements as they need. */
export async function runWithValues(
  types: readonly string[],
  rows: readonly (readonly unknown[])[],
  run: (values: Values) => Promise<unknown>,
): Promise<void> {
  const most = Math.floor(MAX_PARAMETERS / types.length);
  for (let at = 0; at < rows.length; at += most) await run(valuesOf(types, rows.slice(at, at + most)));
}
