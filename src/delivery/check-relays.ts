/**
 * Asks a transport whether relays can be used, all side by side, and each no longer than is allowed.
 */
import { errorMessage } from '../core/error-message.js';
import type { LostFailure } from '../core/failure.js';
import type { Relay } from '../core/relay.js';
import type { RelayTransport } from './relay-transport.js';
import type { Clock } from './system-clock.js';

export interface Checking {
  readonly transport: RelayTransport;
  readonly clock: Clock;
  readonly limitMs: number;
}

/** By relay, why it cannot be used; empty if all can, or the transport has no way to tell. */
export async function checkRelays(checking: Checking, relays: Iterable<Relay>): Promise<Map<string, Error>> {
  const broken = new Map<string, Error>();
  const check = async (relay: Relay): Promise<void> => {
    try {
      await checkRelay(checking, relay);
    } catch (error) {
      broken.set(relay.id, error instanceof Error ? error : new Error(errorMessage(error)));
    }
  };
  await Promise.all([...relays].map(check));
  return broken;
}

async function checkRelay({ transport, clock, limitMs }: Checking, relay: Relay): Promise<void> {
  if (!transport.check) return;
  const settled = new AbortController();
  const tooLate = clock.sleep(limitMs, settled.signal).then(
    () => {
      throw noAnswer(relay, limitMs);
    },
    () => undefined,
  );
  try {
    await Promise.race([transport.check(relay), tooLate]);
  } finally {
    settled.abort();
  }
}

function noAnswer({ id }: Relay, limitMs: number): Error {
  const message = `no answer within ${String(limitMs)} ms`;
  const cause: LostFailure = { kind: 'lost', phase: 'connect', code: 'ETIMEDOUT', message };
  return Object.assign(new Error(`relay ${id} cannot be used: ${message}`, { cause }), { code: 'ETIMEDOUT' });
}
