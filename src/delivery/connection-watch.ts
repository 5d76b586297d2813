/**
 * Hears of the connections of one send. Apart from the delivery, because a pooled connection may
 * outlive it, and must not keep its message.
 */
import type { Phase } from '../core/failure.js';
import type { Relay } from '../core/relay.js';
import type { Observer } from './observer.js';
import type { ConnectionInfo, TransportEvent } from './relay-transport.js';
import type { Clock } from './system-clock.js';

export class ConnectionWatch {
  /** The connection that the send goes over, as far as it is known. */
  taken: ConnectionInfo | undefined;
  /** How far the send has got for certain: up to MAIL once it has a connection that is ready for use. */
  phase: Phase = 'connect';
  readonly onEvent: (event: TransportEvent) => void;
  #open: number | undefined;

  constructor(clock: Clock, observer: Observer, { id, host, port }: Relay) {
    this.onEvent = (event) => {
      if (event.type !== 'connection-closed') this.taken = event;
      if (event.type === 'connection-taken') {
        // A connection that failed before it was of use is told of as taken too, but is closed by then.
        if (event.reused || event.connection === this.#open) this.phase = 'envelope';
        return;
      }
      this.#open = event.type === 'connection-opened' ? event.connection : undefined;
      if (!observer.active) return;
      if (event.type === 'connection-opened') observer.emit({ ...event, at: clock.now(), relay: id, host, port });
      else observer.emit({ ...event, at: clock.now(), relay: id });
    };
  }
}
