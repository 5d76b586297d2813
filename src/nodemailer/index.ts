/**
 * `smtp-routes/nodemailer`: relays reached through the app's nodemailer, and routes for the app's
 * `createTransport`.
 */
export { nodemailerTransport, type NodemailerTransportOptions } from './nodemailer-transport.js';
export type { RoutedMessageInfo } from './message-info.js';
export { RoutedMailError, type RecipientMailError } from './routed-mail-error.js';
export { RoutedTransport } from './routed-transport.js';
export type { MakeQueue, RoutedTransportOptions } from './routed-transport-options.js';
