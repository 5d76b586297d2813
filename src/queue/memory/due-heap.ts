/**
 * Things in the order in which they are due, for the queue in memory: a binary heap whose outdated
 * members are passed over when they come up.
 */

export interface Due {
  readonly dueAt: number;
  /** Breaks ties: the order of coming. */
  readonly key: number;
}

interface Member<T> {
  readonly dueAt: number;
  readonly key: number;
  readonly item: T;
}

export class DueHeap<T extends Due> {
  #members: Member<T>[] = [];
  /** Whether an item still waits here. */
  readonly #isHere: (item: T) => boolean;

  constructor(isHere: (item: T) => boolean) {
    this.#isHere = isHere;
  }

  add(item: T): void {
    const member = { dueAt: item.dueAt, key: item.key, item };
    let at = this.#members.push(member) - 1;
    for (let up = (at - 1) >> 1; at > 0 && precedes(member, this.#members[up]); up = (at - 1) >> 1) {
      this.#set(at, this.#members[up]);
      at = up;
    }
    this.#set(at, member);
  }

  /** The one due first; it stays. */
  first(): T | undefined {
    for (;;) {
      const member = this.#members[0];
      if (!member) return undefined;
      if (member.dueAt === member.item.dueAt && this.#isHere(member.item)) return member.item;
      this.#dropFirst();
    }
  }

  #dropFirst(): void {
    const last = this.#members.pop();
    if (!last || this.#members.length === 0) return;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const down = precedes(this.#members[left + 1], this.#members[left]) ? left + 1 : left;
      const below = this.#members[down];
      if (!below || !precedes(below, last)) break;
      this.#set(at, below);
      at = down;
    }
    this.#set(at, last);
  }

  #set(at: number, member: Member<T> | undefined): void {
    if (member) this.#members[at] = member;
  }
}

function precedes(a: Due | undefined, b: Due | undefined): boolean {
  if (!a || !b) return a !== undefined;
  return a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.key < b.key);
}
