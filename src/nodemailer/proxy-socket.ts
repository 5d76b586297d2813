/**
 * A socket to a relay through a proxy, made by nodemailer's own proxy support, so that the same
 * URLs work as in `createTransport`. SOCKS needs the package `socks`, as it does there.
 */
import type { Socket } from 'node:net';
import MailerModule from 'nodemailer/lib/mailer/index.js';
import type { ConnectionOptions } from './smtp-connection.js';

/** The part of nodemailer's Mail that opens proxied sockets. */
interface ProxyMailer {
  set(key: string, value: unknown): void;
  getSocket(options: ConnectionOptions, callback: (error: Error | null, result?: { connection: Socket }) => void): void;
}

type MailerClass = new (transporter: object, options: object) => ProxyMailer;

const Mailer: MailerClass = ((MailerModule as unknown as { default?: MailerClass }).default ??
  MailerModule) as MailerClass;

/** @throws {Error} with nodemailer's code if the proxy cannot be used or refuses */
export async function proxySocket(proxy: string, options: ConnectionOptions): Promise<Socket> {
  const mailer = new Mailer({ name: 'proxy', version: '0', send: () => undefined }, { ...options, proxy });
  if (proxy.startsWith('socks')) await loadSocks(mailer);
  return new Promise((resolve, reject) => {
    mailer.getSocket(options, (error, result) => {
      if (error) reject(error);
      // Paused in this very turn, until nodemailer's connection listens: 8 and 9 lose a greeting that comes at once.
      else if (result) resolve(result.connection.pause());
      else reject(new Error('the proxy gave no socket'));
    });
  });
}

async function loadSocks(mailer: ProxyMailer): Promise<void> {
  const name = 'socks';
  try {
    mailer.set('proxy_socks_module', await import(name));
  } catch {
    // Not installed: nodemailer's own error says so.
  }
}
