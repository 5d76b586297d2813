/**
 * Many deliveries may be given one signal, say that of the app's shutdown. Node warns of a leak at
 * the eleventh listener on a signal, so there is one for all of them.
 */
export class AbortListeners {
  readonly #bySignal = new Map<AbortSignal, { readonly calls: Set<() => void>; readonly onAbort: () => void }>();

  /**
   * Calls `onAbort` when the signal fires; at once if it has.
   *
   * @returns stops listening
   */
  listen(signal: AbortSignal, onAbort: () => void): () => void {
    if (signal.aborted) {
      onAbort();
      return () => undefined;
    }
    const { calls } = this.#listenersOf(signal);
    calls.add(onAbort);
    return () => {
      calls.delete(onAbort);
      if (calls.size === 0) this.#forget(signal);
    };
  }

  #listenersOf(signal: AbortSignal): { readonly calls: Set<() => void> } {
    const known = this.#bySignal.get(signal);
    if (known) return known;
    const calls = new Set<() => void>();
    const onAbort = (): void => {
      this.#forget(signal);
      for (const call of [...calls]) call();
    };
    const listeners = { calls, onAbort };
    this.#bySignal.set(signal, listeners);
    signal.addEventListener('abort', onAbort, { once: true });
    return listeners;
  }

  #forget(signal: AbortSignal): void {
    const listeners = this.#bySignal.get(signal);
    if (!listeners) return;
    this.#bySignal.delete(signal);
    signal.removeEventListener('abort', listeners.onAbort);
  }
}
