/**
 * What `deliver()` is given: an envelope and a rendered message. Wrong use is refused here, before
 * anything is done; a wrong *address* is data, and is answered in the outcome.
 */
import { readMailbox } from '../core/address.js';
import { checkOptions, isObject, isString, show, type Check } from '../core/check-options.js';
import { Problems } from '../core/config-error.js';
import type { Envelope, Message } from './relay-transport.js';

export interface Mail {
  readonly envelope: Envelope;
  /** The rendered RFC 5322 message: every attempt sends these bytes. */
  readonly message: Message;
}

/** @throws {RouteConfigError} for wrong use: a missing part, no recipients, values of the wrong type */
export function checkMail(mail: Mail, options: object): void {
  const problems = new Problems();
  checkParts(mail, problems);
  checkOptions(options, OPTION_CHECKS, 'options', problems);
  problems.throwIfAny('deliver');
}

/** The mail alone: adds everything that is wrong with it. */
export function checkParts(mail: Mail, problems: Problems): void {
  const { envelope, message }: Partial<Mail> = isObject(mail) === undefined ? mail : {};
  if (isObject(envelope) !== undefined) problems.add('envelope', `must be { from, to }, got ${show(envelope)}`);
  else {
    const { from, to } = envelope as Partial<Envelope>;
    if (typeof from !== 'string') {
      problems.add('envelope.from', `must be an address, or '' for the null reverse-path, got ${show(from)}`);
    }
    if (!Array.isArray(to)) problems.add('envelope.to', `must be an array of addresses, got ${show(to)}`);
    else if (to.length === 0) problems.add('envelope.to', 'must name at least one recipient');
    else {
      for (const [i, address] of (to as unknown[]).entries()) {
        if (typeof address !== 'string')
          problems.add(`envelope.to[${String(i)}]`, `must be a string, got ${show(address)}`);
      }
    }
  }
  if (!isMessage(message)) {
    problems.add(
      'message',
      `must be a string, bytes, or { open() } that returns a new stream each time, got ${show(message)}`,
    );
  }
}

/** By what it does: a test runner may have an AbortSignal of its own. */
export const isSignal: Check = (value) => {
  const { aborted, addEventListener } = (value ?? {}) as Partial<AbortSignal>;
  return typeof aborted === 'boolean' && typeof addEventListener === 'function'
    ? undefined
    : `must be an AbortSignal, got ${show(value)}`;
};

const OPTION_CHECKS: Readonly<Record<string, Check>> = { signal: isSignal, id: isString, via: isObject };

function isMessage(message: unknown): boolean {
  if (typeof message === 'string' || message instanceof Uint8Array) return true;
  return typeof message === 'object' && message !== null && 'open' in message && typeof message.open === 'function';
}

/** The reverse-path as it goes over the wire; undefined if it is no address. */
export function reversePath(from: string): string | undefined {
  if (from === '') return from;
  return readMailbox(from)?.wire;
}

/** What all transactions of a delivery have in common. */
export function sharedEnvelope(envelope: Omit<Envelope, 'to'>, from: string): Omit<Envelope, 'to'> {
  const { dsn, use8BitMime, requireTLSExtensionEnabled } = envelope;
  if (!dsn && !use8BitMime && !requireTLSExtensionEnabled) return { from };
  return {
    from,
    ...(dsn && { dsn }),
    ...(use8BitMime && { use8BitMime }),
    ...(requireTLSExtensionEnabled && { requireTLSExtensionEnabled }),
  };
}
