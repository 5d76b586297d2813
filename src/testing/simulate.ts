/**
 * What would happen to mail, without a network and without waiting: the real deliverer, a transport
 * that follows a script, and a clock that is moved by hand. Nothing here decides about mail, so a
 * simulation cannot drift away from what the library does.
 */
import { bounceProfile } from '../core/bounce-profile.js';
import type { DeliveryOutcome } from '../core/outcome.js';
import type { RouteTable } from '../core/route-table.js';
import { Deliverer } from '../delivery/deliverer.js';
import { deliverWithRetries } from '../delivery/deliver-with-retries.js';
import { ManualClock } from './manual-clock.js';
import { ScriptedTransport } from './scripted-transport.js';
import { seededRandom } from './seeded-random.js';
import type { SimulateOptions, SimulatedQueueEntry, Simulation } from './simulation.js';
import { checkSimulation, imaginaryDns, scriptsOf } from './simulated-relays.js';
import { relayCounts, statusCounts, waitingRecipients, type WaitingRecipient } from './simulation-summary.js';

const MESSAGE = 'Subject: simulation\r\n\r\n';
const FROM = 'sender@example.org';

/** Recipients whose retries are followed to their end. */
const MAX_FOLLOWED = 100;

/**
 * Delivers messages to relays that behave as told, and says who got what, what would be queued and
 * when it would be tried again.
 *
 * @throws {RouteConfigError} for wrong options and relays that the table does not have
 * @throws {Error} if a script had a line too few or too many
 */
export async function simulate(routes: RouteTable, options: SimulateOptions = {}): Promise<Simulation> {
  checkSimulation(routes, options);
  const { messages = 1, intervalMs = 1000, clock = new ManualClock(), random = seededRandom(1) } = options;
  const recipients = [options.to ?? 'user@example.com'].flat().map((to) => (to.includes('@') ? to : `user@${to}`));
  const transport = new ScriptedTransport(scriptsOf(routes, options));
  const profile = bounceProfile(options.profile);
  const roundsOf = new Map<string, number[]>();
  const deliverer = new Deliverer({
    routes,
    transport,
    clock,
    random,
    dns: options.dns ?? imaginaryDns,
    profile,
    onEvent: (event) => {
      if (event.type === 'settled') roundsOf.get(event.id)?.push(event.at);
    },
  });
  const outcomes: DeliveryOutcome[] = [];
  for (let i = 0; i < messages; i++) {
    const to = recipients[i % recipients.length] ?? '';
    const mail = { envelope: { from: FROM, to: [to] }, message: MESSAGE };
    outcomes.push(await clock.runUntil(deliverer.deliver(mail, { id: `message ${String(i + 1)}` })));
    if (i + 1 < messages) await clock.advance(intervalMs);
  }
  const follow = ({ recipient, messages: count, failure }: WaitingRecipient): Promise<SimulatedQueueEntry> => {
    const id = `retries for ${recipient}`;
    const rounds: number[] = [];
    roundsOf.set(id, rounds);
    const queuedAt = clock.now();
    const mail = { envelope: { from: FROM, to: [recipient] }, message: MESSAGE };
    return deliverWithRetries(deliverer, mail, { profile, id }).then(({ recipients: [end] }) => ({
      recipient,
      messages: count,
      failure,
      queuedAt,
      retriesAt: rounds.slice(1),
      end: end ?? { recipient, status: 'discarded' },
    }));
  };
  const waiting = waitingRecipients(outcomes).slice(0, MAX_FOLLOWED);
  const queued = await clock.runUntil(Promise.all(waiting.map(follow)));
  transport.assertExhausted();
  return { messages, statuses: statusCounts(outcomes), relays: relayCounts(routes, outcomes), queued, outcomes };
}
