import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import { AbortControllers } from '../../src/delivery/abort-controllers.js';
import { AbortListeners } from '../../src/delivery/abort-listeners.js';
import { Interruption } from '../../src/delivery/interruption.js';

describe('listeners on one signal', () => {
  const listenersOn = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

  test('are one for all, and none when all have stopped', () => {
    const { signal } = new AbortController();
    const listeners = new AbortListeners();
    const stops = Array.from({ length: 50 }, () => listeners.listen(signal, () => undefined));
    expect(listenersOn(signal)).toBe(1);
    for (const stop of stops) stop();
    expect(listenersOn(signal)).toBe(0);
    listeners.listen(signal, () => undefined)();
    stops[0]?.();
    expect(listenersOn(signal)).toBe(0);
  });

  test('are all called, but for those that stopped', () => {
    const controller = new AbortController();
    const listeners = new AbortListeners();
    const called: number[] = [];
    const stops = [1, 2, 3].map((i) => listeners.listen(controller.signal, () => called.push(i)));
    stops[1]?.();
    controller.abort();
    expect(called).toEqual([1, 3]);
    for (const stop of stops) stop();
    expect(listenersOn(controller.signal)).toBe(0);
  });

  test('on a signal that has fired are called at once', () => {
    const called: string[] = [];
    const stop = new AbortListeners().listen(AbortSignal.abort(), () => called.push('now'));
    expect(called).toEqual(['now']);
    stop();
  });

  test('on different signals do not mix', () => {
    const [one, other] = [new AbortController(), new AbortController()];
    const listeners = new AbortListeners();
    const called: string[] = [];
    listeners.listen(one.signal, () => called.push('one'));
    const stop = listeners.listen(other.signal, () => called.push('other'));
    one.abort();
    expect(called).toEqual(['one']);
    stop();
    expect(listenersOn(other.signal)).toBe(0);
  });
});

describe('a controller', () => {
  test('is used again, unless it fired or somebody still listens', () => {
    const controllers = new AbortControllers();
    const spare = controllers.take();
    controllers.giveBack(spare);
    expect(controllers.take()).toBe(spare);

    const fired = controllers.take();
    fired.abort();
    controllers.giveBack(fired);
    expect(controllers.take()).not.toBe(fired);

    const heard = controllers.take();
    heard.signal.addEventListener('abort', () => undefined);
    controllers.giveBack(heard);
    expect(controllers.take()).not.toBe(heard);
  });
});

describe('an interruption', () => {
  test('tells each reason to those who listen, and keeps the first', () => {
    const interruption = new Interruption();
    const heard: string[] = [];
    const stop = interruption.listen(({ name }) => heard.push(`1 ${name}`));
    interruption.listen(({ name }) => heard.push(`2 ${name}`));
    interruption.interrupt(new DOMException('x', 'AbortError'));
    stop();
    interruption.interrupt(new DOMException('x', 'TimeoutError'));
    expect(heard).toEqual(['1 AbortError', '2 AbortError', '2 TimeoutError']);
    expect(interruption.reason?.name).toBe('AbortError');
  });
});
