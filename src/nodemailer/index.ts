/**
 * `smtp-routes/nodemailer`: relays reached through the app's nodemailer.
 */
export { nodemailerTransport, type NodemailerTransportOptions } from './nodemailer-transport.js';
