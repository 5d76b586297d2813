/**
 * Replies and failures that code of others made: a transport of the app's own, a DNS look-up. They
 * end up in outcomes, events and logs, which promise JSON-safe data and text that breaks no line,
 * so they are copied field by field.
 */
import { failedCommand, USUAL_COMMAND } from './failed-command.js';
import { PHASES, type Failure, type Phase, type SmtpReply } from './failure.js';
import { printable } from './reply.js';

/** The reply; undefined unless it has a code. */
export function readReply(value: unknown): SmtpReply | undefined {
  const { code, text, enhanced } = fieldsOf(value);
  if (!Number.isInteger(code)) return undefined;
  return { code: code as number, text: textOf(text), ...statusOf(enhanced) };
}

/** The failure; undefined if it is none that the rest can rely on. */
export function readFailure(value: unknown): Failure | undefined {
  const { kind, phase, reply, code, message, need, command, enhanced } = fieldsOf(value);
  switch (kind) {
    case 'reply': {
      const read = readReply(reply);
      if (!read || !isPhase(phase)) return undefined;
      return { kind, phase, reply: read, ...failedCommand(command, USUAL_COMMAND[phase]), ...statusOf(enhanced) };
    }
    case 'lost':
      if (!isPhase(phase)) return undefined;
      return {
        kind,
        phase,
        code: textOf(code) || 'EUNKNOWN',
        message: textOf(message),
        ...failedCommand(command, ''),
        ...statusOf(enhanced),
      };
    case 'unsupported':
      if (need !== 'SMTPUTF8' && need !== 'SIZE' && need !== 'REQUIRETLS') return undefined;
      return { kind, need, message: textOf(message), ...statusOf(enhanced) };
    case 'unroutable':
    case 'aborted':
    case 'expired':
      return { kind, message: textOf(message), ...statusOf(enhanced) };
    default:
      return undefined;
  }
}

/** Of anything; what is no object has none. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function isPhase(value: unknown): value is Phase {
  return (PHASES as readonly unknown[]).includes(value);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? printable(value) : '';
}

/** An enhanced status code (RFC 3463 2), if it is one. */
function statusOf(value: unknown): { readonly enhanced?: string } {
  return typeof value === 'string' && /^[245]\.\d{1,3}\.\d{1,3}$/.test(value) ? { enhanced: value } : {};
}
