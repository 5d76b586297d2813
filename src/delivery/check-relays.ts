/**
 * Asks a transport whether relays can be used, all side by side.
 */
import { errorMessage } from '../core/error-message.js';
import type { Relay } from '../core/relay.js';
import type { RelayTransport } from './relay-transport.js';

/** By relay, why it cannot be used; empty if all can, or the transport has no way to tell. */
export async function checkRelays(transport: RelayTransport, relays: Iterable<Relay>): Promise<Map<string, Error>> {
  const broken = new Map<string, Error>();
  const check = async (relay: Relay): Promise<void> => {
    try {
      await transport.check?.(relay);
    } catch (error) {
      broken.set(relay.id, error instanceof Error ? error : new Error(errorMessage(error)));
    }
  };
  await Promise.all([...relays].map(check));
  return broken;
}
