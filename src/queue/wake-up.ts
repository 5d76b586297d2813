/**
 * How much waiting mail of a domain a success makes due: 100 entries, then twice as many each time,
 * until a failure. Not before what was woken last has been tried.
 */
export const FIRST_WAKE = 100;
const MOST_WAKE = 100 * 2 ** 20;

/** The size of the wake-up after this one. */
export function nextWake(size: number): number {
  return Math.min(size * 2, MOST_WAKE);
}
