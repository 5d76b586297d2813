/**
 * An `error` event that nobody listens for ends the process, and a pool has one for each idle
 * connection that breaks. Whoever asks for something is told by its promise; so the events are
 * heard, and that is all. The app's own listeners are called as ever.
 */

interface Emitter {
  on?(event: 'error', listener: (error: Error) => void): unknown;
}

const heard = new WeakSet<Emitter>();

export function hearErrors(...emitters: readonly Emitter[]): void {
  for (const one of emitters) {
    if (heard.has(one)) continue;
    heard.add(one);
    one.on?.('error', () => undefined);
  }
}
