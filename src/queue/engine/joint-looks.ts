/**
 * Looks that many want at once, taken together: who asks while one is under way shares the next, so
 * that an answer is never older than its question.
 */

export class JointLooks<Answer> {
  readonly #look: (keys: readonly string[]) => Promise<ReadonlyMap<string, Answer>>;
  #next: { readonly keys: Set<string>; readonly answers: Promise<ReadonlyMap<string, Answer>> } | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(look: (keys: readonly string[]) => Promise<ReadonlyMap<string, Answer>>) {
    this.#look = look;
  }

  /** @throws what the look throws */
  async ask(key: string): Promise<Answer | undefined> {
    this.#next ??= this.#afterLast();
    this.#next.keys.add(key);
    return (await this.#next.answers).get(key);
  }

  #afterLast(): { readonly keys: Set<string>; readonly answers: Promise<ReadonlyMap<string, Answer>> } {
    const keys = new Set<string>();
    const answers = this.#last.then(() => {
      this.#next = undefined;
      return this.#look([...keys]);
    });
    this.#last = answers.catch(() => undefined);
    return { keys, answers };
  }
}
