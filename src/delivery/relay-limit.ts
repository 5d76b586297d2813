/**
 * How many attempts a transport can serve at once, as the gate of a relay may rely on it.
 */
import type { Relay } from '../core/relay.js';
import { logTrouble } from './debug-log.js';
import type { RelayTransport } from './relay-transport.js';

/** At least 1, whatever the transport says: a relay that lets nobody in would keep its mail waiting for ever. */
export function relayLimit(transport: RelayTransport, relay: Relay): number {
  try {
    const limit = transport.limit?.(relay) ?? Infinity;
    return limit >= 1 ? limit : 1;
  } catch (error) {
    logTrouble(error);
    return 1;
  }
}
