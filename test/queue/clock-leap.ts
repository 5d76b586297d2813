/**
 * The clock of the machine, until somebody sets it forward. Timers take no notice.
 */
import { systemClock, type Clock } from '../../src/delivery/system-clock.js';

export interface LeapingClock extends Clock {
  leap(ms: number): void;
}

export function leapingClock(): LeapingClock {
  let ahead = 0;
  return {
    now: () => systemClock.now() + ahead,
    sleep: (ms, signal) => systemClock.sleep(ms, signal),
    leap: (ms) => {
      ahead += ms;
    },
  };
}
