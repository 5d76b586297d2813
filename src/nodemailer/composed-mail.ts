/**
 * The composed mail that rendered bytes came from. A wrapped transport of a provider may want the
 * parts and not the bytes; between it and the routed transport only bytes travel.
 */
import type { MessageSource } from '../delivery/relay-transport.js';
import type { NodemailerMail } from './nodemailer-mail.js';

/** Forgotten with the bytes. */
export const composedFrom: WeakMap<Uint8Array | MessageSource, NodemailerMail> = new WeakMap();
