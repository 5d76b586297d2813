/**
 * Dice that fall the same way each time, so that a test of rotation or jitter can be repeated from
 * the seed it prints. mulberry32: 32 bits of state, evenly spread, and good enough for routing.
 */

/** A function like `Math.random`, from 0 up to but not including 1, that repeats for the same `seed`. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
