/**
 * The `debug` output: `smtp-routes:route`, `:dns`, `:delivery`, `:health`, and `:mail` in the appliance's
 * log form. Domains and counts, no whole addresses; never bodies or credentials.
 */
import createDebug from 'debug';
import type { DeliveryEvent } from '../core/delivery-event.js';
import { errorMessage } from '../core/error-message.js';
import type { Failure } from '../core/failure.js';
import { mailLog } from '../core/mail-log.js';
import type { Lookup } from '../core/outcome.js';
import { onOneLine } from '../core/reply.js';

const route = createDebug('smtp-routes:route');
const dns = createDebug('smtp-routes:dns');
const delivery = createDebug('smtp-routes:delivery');
const health = createDebug('smtp-routes:health');
const mail = createDebug('smtp-routes:mail');

const mailLines = mailLog();

export function isDebugging(): boolean {
  return delivery.enabled || health.enabled || mail.enabled || route.enabled || dns.enabled;
}

/** Which route a domain takes, and why. */
export function logRoute(id: string, domain: string, match: string, answer: string): void {
  if (route.enabled) route('%s: %s matches %s: %s', id, onOneLine(domain), match, answer);
}

/** A defect of the app's own code, which deliveries must survive. Never throws itself. */
export function logTrouble(error: unknown): void {
  if (delivery.enabled) delivery("the app's callback failed, ignored: %s", onOneLine(errorMessage(error)));
}

export function logEvent(event: DeliveryEvent): void {
  if (mail.enabled) for (const line of mailLines(event)) mail('%s', line);
  switch (event.type) {
    case 'attempt-started':
      delivery(
        '%s: %d recipient(s) to %s (%s:%d), tier %d',
        event.id,
        event.recipients.length,
        event.relay,
        event.host,
        event.port,
        event.tier,
      );
      break;
    case 'attempt-ended': {
      const { relay, phase, failure, verdict } = event.attempt;
      const result = failure
        ? `${describe(failure)}, ${verdict?.action ?? ''}`
        : `${String(event.delivered.length)} delivered`;
      delivery('%s: %s ended in phase %s: %s', event.id, relay, phase, result);
      break;
    }
    case 'masked-failure':
      delivery(
        '%s: delivered by %s, but %s had failed: %s',
        event.id,
        event.deliveredBy,
        event.relay,
        describe(event.failure),
      );
      break;
    case 'settled':
      delivery(
        '%s: settled after %d attempt(s): %s',
        event.id,
        event.outcome.attempts.length,
        event.outcome.recipients.map(({ status }) => status).join(', '),
      );
      break;
    case 'relay-cooled':
      health('%s is down until %s: %s', placeOf(event), new Date(event.until).toISOString(), describe(event.failure));
      break;
    case 'relay-recovered':
      health('%s is up again, was down since %s', placeOf(event), new Date(event.downSince).toISOString());
      break;
    case 'lookup':
      dns('%s: %s: %s', event.id ?? 'start', event.domain, describeLookup(event));
      break;
    case 'connection-opened':
    case 'connection-closed':
      break;
    default:
      event satisfies never;
  }
}

function placeOf({ relay, address }: { readonly relay: string; readonly address?: string }): string {
  return address === undefined ? relay : `${relay}[${address}]`;
}

/** `0 mx1.example.com[192.0.2.1], 1 mx2.example.com[192.0.2.2]; without mx3.example.com (ENOTFOUND); from 192.0.2.53`. */
function describeLookup({ exchanges = [], skipped = [], failure, servers = [], cached }: Lookup): string {
  const named = exchanges.map(({ name, tier, addresses }) => `${String(tier)} ${name}[${addresses.join(' ')}]`);
  const without = skipped.map(({ name, why }) => `${name} (${why})`);
  return [
    failure ? describe(failure) : onOneLine(named.join(', ')),
    ...(without.length > 0 ? [`without ${onOneLine(without.join(', '))}`] : []),
    ...(cached ? ['from the cache'] : servers.length > 0 ? [`from ${onOneLine(servers.join(', '))}`] : []),
  ].join('; ');
}

function describe(failure: Failure): string {
  if (failure.kind === 'reply') return onOneLine(`${String(failure.reply.code)} ${failure.reply.text}`);
  return onOneLine(failure.kind === 'lost' ? `${failure.code} ${failure.message}` : failure.message);
}
