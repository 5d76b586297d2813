/**
 * Who may start an attempt at a relay now. Waiting happens here and not inside the transport, so
 * that a failure can still turn the waiting to the next relay.
 *
 * A relay that is up lets in as many as its transport can serve. A relay that is down lets in one:
 * the others that have nothing better wait for its result and share it. So a dead relay sees about
 * as many attempts as it has connections and probes, however much mail waits.
 */
import type { Failure } from '../core/failure.js';
import type { Interruption } from './interruption.js';

/**
 * `entered`: start, and call `leave` afterwards. `turned-away`: the relay went down while waiting;
 * choose again. `abandoned`: the delivery was interrupted. A failure: the relay is down and this
 * is what the delivery that tried it got.
 */
export type Admission = 'entered' | 'turned-away' | 'abandoned' | Failure;

/** What the relay can take now: whether it is down, and otherwise how many attempts at once, at least 1. */
export interface Room {
  readonly down: boolean;
  readonly limit: number;
}

interface Waiting {
  readonly sharing: boolean;
  readonly admit: (admission: Admission) => void;
}

export class RelayGate {
  /** First come, first served. Nobody waits unless somebody is inside, whose leaving wakes them. */
  readonly #waiting = new Set<Waiting>();
  #inside = 0;

  /** Attempts under way. */
  get inside(): number {
    return this.#inside;
  }

  enter(room: Room, interruption: Interruption): Admission | Promise<Admission> {
    if (interruption.reason) return 'abandoned';
    if (this.#inside < placesIn(room)) {
      this.#inside++;
      return 'entered';
    }
    return new Promise((resolve) => {
      const waiting: Waiting = {
        sharing: room.down,
        admit: (admission) => {
          this.#waiting.delete(waiting);
          stopListening();
          resolve(admission);
        },
      };
      const stopListening = interruption.listen(() => {
        waiting.admit('abandoned');
      });
      this.#waiting.add(waiting);
    });
  }

  /**
   * An attempt has ended.
   *
   * @param room what the relay can take now
   * @param shared the failure that those who wait for this result take over; only if it is down
   */
  leave(room: Room, shared: Failure | undefined): void {
    this.#inside--;
    const places = placesIn(room);
    for (const waiting of this.#waiting) {
      if (room.down && !waiting.sharing) waiting.admit('turned-away');
      else if (shared) waiting.admit(shared);
      else if (this.#inside < places) {
        this.#inside++;
        waiting.admit('entered');
      } else if (!room.down) return;
    }
  }
}

function placesIn({ down, limit }: Room): number {
  return down ? 1 : limit;
}
