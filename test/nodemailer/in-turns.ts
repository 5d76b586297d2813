/**
 * Runs many small scenarios a few at a time: enough to be quick, too few to make one another time out.
 */

/** Tries all `cases`, and then fails with every case that failed, by name. */
export async function inTurns<T>(
  cases: readonly T[],
  atOnce: number,
  attempt: (one: T) => Promise<void>,
  nameOf: (one: T) => string,
): Promise<void> {
  const left = [...cases];
  const failures: string[] = [];
  const worker = async (): Promise<void> => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) {
      try {
        await attempt(one);
      } catch (error) {
        failures.push(`${nameOf(one)}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  if (failures.length > 0)
    throw new Error(`${String(failures.length)} of ${String(cases.length)} cases failed\n${failures.join('\n')}`);
}
