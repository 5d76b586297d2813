/**
 * Cuts lists to so much in all, in such a way that none starves another: one for each in turn, for as
 * long as it has more. So a domain with hundreds of exchanges cannot keep its next preference from
 * being tried.
 */

/** The first items of all lists, then the second ones, and so on. */
export function inTurn<T>(lists: readonly (readonly T[])[]): T[] {
  const rounds = Math.max(0, ...lists.map(({ length }) => length));
  return Array.from({ length: rounds }, (_, round) => lists.flatMap((list) => list.slice(round, round + 1))).flat();
}

/** The beginnings of the lists, at most `cap` items in all; where that is fewer than lists, the first ones get one each. */
export function fairShare<T>(lists: readonly (readonly T[])[], cap: number): T[][] {
  const turns = inTurn(lists.map((list, i) => list.map(() => i))).slice(0, cap);
  const counts = lists.map(() => 0);
  for (const i of turns) counts[i] = (counts[i] ?? 0) + 1;
  return lists.map((list, i) => list.slice(0, counts[i]));
}
